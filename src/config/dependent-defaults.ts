import { credentialKinds } from './settings/credential.ts'

/**
 * A raw target with the defaults that depend on another of its settings: where requests run with the
 * rights of people, impersonation is off unless `impersonation.mode` turns it on.
 */
export function withDependentDefaults(target: unknown): unknown {
  if (!isObject(target)) return target
  const { credential, impersonation = {} } = target
  if (!isObject(credential) || !isObject(impersonation) || !runsAsPeople(credential['kind'])) return target
  return { ...target, impersonation: { mode: 'off', ...impersonation } }
}

function runsAsPeople(name: unknown): boolean {
  return Object.entries(credentialKinds).some(([kind, { runsAs }]) => kind === name && runsAs !== 'application')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
