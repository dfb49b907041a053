import { headerLetters } from '../odata/header-letters.ts'
import { isLoopbackAddress, isLoopbackHost } from '../odata/loopback.ts'
import { callerChecks, namesUser } from './caller-checks.ts'
import { readChecks } from './read-checks.ts'
import { redisAddress } from './redis-address.ts'
import type { Settings, Target } from './schema.ts'
import { bringsPeople } from './settings/callers.ts'
import { MIN_KEY_CHARACTERS } from './settings/redis.ts'
import { sharedSecretOf } from './shared-secret.ts'

/** Errors that concern several settings together. */
export function crossChecks(settings: Settings, errors: string[]): void {
  const { targets, callers, anybody, host, port, metricsHost, metricsPort, redis } = settings
  if (metricsPort !== undefined && metricsPort === port && port !== 0 && metricsHost === host) {
    errors.push('METRICS_HOST and METRICS_PORT are the address of the gateway itself: give METRICS_PORT another port.')
  }
  if (metricsPort === undefined && metricsHost !== '127.0.0.1') {
    errors.push('METRICS_HOST is set, but METRICS_PORT is not: set the port to listen at, such as 9090.')
  }
  if (callers.length > 0 && (anybody.rules.length > 0 || !anybody.users.includes('*'))) {
    errors.push(
      'anybody: its rules and users apply only while no callers are listed; write them for each caller, and remove anybody.',
    )
  }
  if (targets.length === 0) errors.push('targets is empty: describe at least one environment.')
  const names = targets.map(({ name }) => name)
  if (targets.length > 1 && names.includes(undefined)) {
    errors.push('targets: with several targets each needs its own name.')
  }
  for (const name of new Set(names.filter((name, index) => name !== undefined && names.indexOf(name) !== index))) {
    errors.push(`targets: two are called ${name!}; give each its own name.`)
  }
  for (const { url, impersonation } of targets) {
    if (impersonation.mode === 'off' && callers.some(({ userFrom }) => namesUser(userFrom))) {
      errors.push(
        "impersonation.mode is off, but a caller's userFrom takes the user from its token: " +
          'set the mode to optional or required, or userFrom to header.',
      )
    }
    if (url.product !== 'dataverse' && impersonation.mode === 'required') {
      errors.push(
        'IMPERSONATION is required, but this product (Finance & Operations or Business Central) cannot act ' +
          'as a user: set it to off.',
      )
    }
  }
  for (const { url, impersonation, users } of targets) {
    if (users.preload) {
      const fault = preloadFault(url.product, impersonation)
      if (fault !== undefined) errors.push(`USERS_PRELOAD has no use ${fault}`)
    }
    const { header, idHeader, emailColumns } = impersonation
    if (headerLetters(header) === headerLetters(idHeader)) {
      errors.push(`USER_EMAIL_HEADER and USER_ID_HEADER are both ${header}, or differ by punctuation only: name two.`)
    }
    if (emailColumns.length === 0 || new Set(emailColumns).size < emailColumns.length) {
      errors.push('USER_EMAIL_COLUMNS must name at least one column, and each only once.')
    }
  }
  for (const { credential, impersonation } of targets) {
    if (credential.kind !== 'on-behalf-of') continue
    const { secret, certificateFile, federatedTokenFile } = credential
    if ([secret, certificateFile, federatedTokenFile].filter((proof) => proof !== undefined).length !== 1) {
      errors.push('credential: on-behalf-of needs exactly one of secret, certificateFile and federatedTokenFile.')
    }
    if (!callers.some(bringsPeople)) {
      errors.push(
        'callers: a credential of kind on-behalf-of serves only people with a token of their own; ' +
          'list a caller with a token and userFrom: on-behalf-of.',
      )
    }
    if (impersonation.mode !== 'off') {
      errors.push(
        'impersonation.mode must be off with a credential of kind on-behalf-of: no application user could act as others.',
      )
    }
  }
  if (redis?.ca !== undefined && !redisAddress(redis.url.reveal()).tls) {
    errors.push('REDIS_CA_PATH is set, but REDIS_URL has no TLS: write rediss:// there, or remove REDIS_CA_PATH.')
  }
  if (redis !== undefined && redis.encryptionKey === undefined) {
    const kinds = targets.flatMap(({ credential }) =>
      sharedSecretOf(credential) === undefined ? [credential.kind] : [],
    )
    for (const kind of new Set(kinds)) {
      errors.push(
        `REDIS_ENCRYPTION_KEY is missing: a credential of kind ${kind} has no secret that all replicas share. Write ` +
          `at least ${MIN_KEY_CHARACTERS} random characters, the same for all replicas, such as those of openssl rand -base64 32.`,
      )
    }
  }
  callerChecks(settings, errors)
  readChecks(settings, errors)
}

/** Why the users of a target cannot be read ahead, and the fix. */
function preloadFault(
  product: Target['url']['product'],
  { mode, verify }: Pick<Target['impersonation'], 'mode' | 'verify'>,
): string | undefined {
  if (product !== 'dataverse') {
    return 'for this product (Finance & Operations or Business Central), which cannot act as a user: set it to false.'
  }
  if (mode === 'off') {
    return 'with IMPERSONATION=off: set it to false, or IMPERSONATION to optional or required.'
  }
  return verify
    ? 'with IMPERSONATION_VERIFY, which asks Dynamics about each user: set one of them to false.'
    : undefined
}

/**
 * An error when anyone can reach the gateway although the operator did not allow it. Uses what could be read, whatever
 * else is wrong.
 */
export function exposureCheck({ host, callers, trustNetwork }: Partial<Settings>, errors: string[]): void {
  if (host !== undefined && trustNetwork === false && !isLocal(host) && callers?.length === 0) {
    errors.push(
      `HOST is ${host}, so anyone who reaches the port would have the gateway's rights in Dynamics: ` +
        'set TRUST_NETWORK=true if that is ' +
        'meant (a private pod or container network), list callers in the settings file, or listen at 127.0.0.1.',
    )
  }
}

/** Whether only this machine can reach a listener at `host`. */
function isLocal(host: string): boolean {
  return host.startsWith('unix:') || isLoopbackHost(host) || isLoopbackAddress(host)
}
