import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

import type { Target } from '../config/schema.ts'
import type { Policy } from '../config/settings/policy.ts'
import { readHead } from '../door/read-head.ts'
import type { Head } from '../door/read-head.ts'
import { requestIds } from '../dynamics/request-record.ts'
import type { RequestRecord } from '../dynamics/request-record.ts'
import { CallerIdNotAllowed, CallerNotAllowed } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { Logger } from '../logging/logger.ts'
import type { BatchOperation } from '../odata/batch.ts'
import type { Preferences } from '../odata/preferences.ts'
import { resourceOf } from '../odata/resource.ts'
import { targetAddress } from '../odata/target-address.ts'
import { effectiveRequest } from '../queries/effective-request.ts'
import { denialReason } from './evaluate.ts'
import type { AccessRequest } from './evaluate.ts'

interface Options {
  readonly target: Pick<Target, 'url'>
  /** `/sales`, or nothing where there is one target. */
  readonly prefix: string
  readonly log: Pick<Logger, 'warn' | 'debug'>
}

/**
 * Refuses requests that the caller's settings do not allow. The body is not read yet: parts of a `$batch` are
 * checked by {@link authorizePart}.
 */
function enforceRules(app: FastifyInstance, { target: { url }, prefix, log }: Options, registered: () => void): void {
  const address = targetAddress(url.origin + url.apiRoot)
  app.addHook('onRequest', (request, _reply, done) => {
    const { caller, head } = request
    const { wantsRow } = head.preferences
    const fault = headerFault(head, caller.policy)
    if (fault !== undefined || caller.policy.rules.length === 0) return done(fault)
    const { method, target } = effectiveRequest(request)
    const resource = resourceOf(address, target.slice(prefix.length))
    done(accessFault(request, { method, ...resource, wantsRow }, log))
  })
  registered()
}

export default fp(enforceRules, { name: 'rules', fastify: '5.x', dependencies: ['head'] })

/**
 * Judges a part of a `$batch`, as {@link enforceRules} does the request around it, whose `Prefer` may hold for its parts.
 *
 * @throws {CallerNotAllowed} {@link CallerIdNotAllowed}
 */
export function authorizePart(
  request: Judged & { readonly head: { readonly preferences: Pick<Preferences, 'wantsRow'> } },
  part: BatchOperation,
  log: Pick<Logger, 'warn' | 'debug'>,
): void {
  const {
    caller,
    head: {
      preferences: { wantsRow },
    },
  } = request
  const head = readHead(part.headers.flatMap(({ name, value }) => [name, value]))
  const accessRequest = { ...part, wantsRow: wantsRow || head.preferences.wantsRow }
  const error = headerFault(head, caller.policy) ?? accessFault(request, accessRequest, log)
  if (error !== undefined) throw error
}

/** The caller of the request, and the record for the result. */
interface Judged {
  readonly caller: Caller
  readonly exchange: { readonly record: RequestRecord }
}

/** The fault of headers that need permission. */
function headerFault({ callerId, namedUser, bypass, override, preferences }: Head, policy: Policy): Error | undefined {
  if (callerId !== undefined && policy.callerIds !== 'allow') return new CallerIdNotAllowed(callerId)
  if (namedUser?.fault !== undefined) return namedUser.fault
  if (override !== undefined) {
    return new CallerNotAllowed(`The header ${override} is not supported. Send the request with the intended method.`)
  }
  if (bypass !== undefined && !policy.bypassHeaders) {
    return new CallerNotAllowed(`This caller may not send the header ${bypass}: its setting bypassHeaders forbids it.`)
  }
  if (preferences.callback && !policy.callbacks) {
    return new CallerNotAllowed(
      'This caller may not ask for a callback in the header Prefer: its setting callbacks forbids it.',
    )
  }
  return undefined
}

/** The fault of the request by the caller's rules. In a dry run it is only logged. */
function accessFault(
  { caller: { name, policy }, exchange }: Judged,
  accessRequest: AccessRequest,
  log: Pick<Logger, 'warn' | 'debug'>,
): Error | undefined {
  const { record } = exchange
  let rule: string | undefined
  const objection = denialReason(accessRequest, policy.rules, ({ text }) => {
    rule ??= text
  })
  if (objection === undefined) {
    if (rule === undefined) return undefined
    ;(record.allowedBy ??= new Set()).add(rule)
    log.debug({ ...requestIds(record), caller: name, rule }, 'allowed by a rule')
    return undefined
  }
  record.denialReason = objection
  if (!policy.dryRun) return new CallerNotAllowed(objection)
  log.warn({ ...requestIds(record), caller: name, objection }, 'dry run: a rule would have refused this request')
  return undefined
}
