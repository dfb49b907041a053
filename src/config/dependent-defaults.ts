import { isJsonObject } from '../odata/json-object.ts'
import { credentialKinds } from './settings/credential.ts'

/**
 * A raw target with the defaults that depend on another of its settings: where requests run with the
 * rights of people, impersonation is off unless `impersonation.mode` turns it on.
 */
export function withDependentDefaults(target: Readonly<Record<string, unknown>>): unknown {
  const { credential, impersonation = {} } = target
  if (!isJsonObject(credential) || !isJsonObject(impersonation) || !runsAsPeople(credential['kind'])) return target
  return { ...target, impersonation: { mode: 'off', ...impersonation } }
}

function runsAsPeople(name: unknown): boolean {
  return Object.entries(credentialKinds).some(([kind, { runsAs }]) => kind === name && runsAs !== 'application')
}
