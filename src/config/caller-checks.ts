import { canExchange, runsAsCaller } from './credential.ts'
import type { Settings } from './schema.ts'
import { bringsPeople } from './settings/callers.ts'
import type { CallerSettings } from './settings/callers.ts'

/** Errors in the list of callers that concern several settings. */
export function callerChecks(
  { callers, tls, targets }: Pick<Settings, 'callers' | 'tls' | 'targets'>,
  errors: string[],
): void {
  for (const name of repeated(callers.map(({ name }) => name))) {
    errors.push(`callers: two are called ${name}; give each its own name.`)
  }
  for (const hash of repeated(callers.flatMap(({ keys }) => keys))) {
    errors.push(
      `callers: the key hash ${hash.slice(0, 8)}… is listed twice; ` +
        'generate a separate key for each with `dynamics-gateway key`.',
    )
  }
  for (const certificate of repeated(callers.flatMap(({ certificates }) => certificates))) {
    errors.push(`callers: the certificate ${certificate} is listed twice; list it for one caller only.`)
  }
  for (const { name, keys, token, certificates, userFrom } of callers) {
    if (keys.length + certificates.length === 0 && token === undefined) {
      errors.push(`callers: nothing tells ${name} from others; give it keys, a token or certificates.`)
    }
    if (token !== undefined) {
      if (token.audience.length === 0) errors.push(`callers: the token of ${name} needs an audience.`)
      if (token.roles.length + token.scopes.length + token.clientIds.length + token.subjects.length === 0) {
        errors.push(
          `callers: any app that can have a token for the audience would pass for ${name}; ` +
            'name roles, scopes, clientIds or subjects.',
        )
      }
    }
    if (userFrom !== 'header' && (token === undefined || keys.length + certificates.length > 0)) {
      errors.push(
        `callers: the user of ${name} comes from its token, so it must be known by a token, and by nothing else.`,
      )
    }
    if (namesUser(userFrom) && targets.some(({ impersonation }) => impersonation.mode === 'off')) {
      errors.push(
        `callers: the user of ${name} comes from its token, but impersonation is off for a target; ` +
          'set its mode to optional or required.',
      )
    }
    if (userFrom === 'on-behalf-of-or-header') othersChecks(name, token, targets, errors)
    for (const { credential } of bringsPeople({ userFrom }) ? targets : []) {
      if (canExchange(credential)) continue
      errors.push(
        `callers: ${name} is to reach Dynamics on behalf of people, which a credential of kind ${credential.kind} ` +
          'cannot do: use client-secret, certificate, workload-identity or on-behalf-of.',
      )
    }
    if (certificates.length > 0 && tls === undefined) {
      errors.push(
        `callers: ${name} is known by a certificate, which only a gateway that serves HTTPS sees; describe tls.`,
      )
    }
    if (tls !== undefined && tls.clientCa === undefined && certificates.some((one) => !/^[0-9a-f]{64}$/.test(one))) {
      errors.push(
        `callers: ${name} is known by a name in a certificate; ` +
          'name the authorities that certify it in tls.clientCa.',
      )
    }
  }
}

/**
 * Errors of a caller whose people may act as others. Without a role or a list of subjects, everybody who is signed in
 * could: whoever has a token can send it without the app.
 */
function othersChecks(
  name: string,
  token: CallerSettings['token'],
  targets: Settings['targets'],
  errors: string[],
): void {
  if (token !== undefined && token.roles.length + token.subjects.length === 0) {
    errors.push(
      `callers: with on-behalf-of-or-header every person with a token of ${name} could act as others; ` +
        'name token.roles or token.subjects, and list the others as a second caller with userFrom: on-behalf-of.',
    )
  }
  if (targets.some(({ credential, impersonation }) => runsAsCaller(credential) || impersonation.mode === 'off')) {
    errors.push(
      `callers: ${name} is to act as others, which a target with impersonation off or a credential of kind ` +
        'on-behalf-of cannot do: set the mode to optional, or userFrom to on-behalf-of.',
    )
  }
}

/** Whether the gateway acts as a user whom the caller's token names. */
export function namesUser(userFrom: CallerSettings['userFrom']): boolean {
  return userFrom !== 'header' && !bringsPeople({ userFrom })
}

function repeated(values: readonly string[]): Set<string> {
  return new Set(values.filter((value, index) => values.indexOf(value) !== index))
}
