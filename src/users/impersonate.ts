import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Target } from '../config/schema.ts'
import type { OnBehalfOf } from '../credentials/user-tokens.ts'
import {
  BadRequest,
  ImpersonationUnsupported,
  UserAmbiguous,
  UserDisabled,
  UserNotAllowed,
  UserNotPerson,
  UserRequired,
  UserTokenRequired,
  UserUnknown,
} from '../errors.ts'
import type { SignedIn, User } from '../identity/caller.ts'
import type { UserDirectory } from './directory.ts'
import { mayActAsFound, mayName } from './may-act-as.ts'
import { namedUser } from './named-user.ts'
import type { SentUser } from './named-user.ts'
import type { FoundUser } from './pick-user.ts'
import type { NamedUser } from './user-query.ts'

interface Options {
  readonly target: Pick<Target, 'url' | 'impersonation'>
  readonly directory: UserDirectory
  /** Exchanges the tokens of callers' users; `undefined` if the credential cannot. */
  readonly onBehalfOf?: OnBehalfOf | undefined
  /** Whether every request needs a user token. */
  readonly asCallersOnly?: boolean
}

/**
 * Hook: finds the user of the request and sets `request.user`. It refuses requests whose user is unknown, disabled or
 * ambiguous, or cannot be looked up. A caller id that the caller sent was already accepted by the plugin `rules`.
 */
function impersonate(
  app: FastifyInstance,
  { target: { url, impersonation }, directory, onBehalfOf, asCallersOnly = false }: Options,
  done: () => void,
): void {
  app.addHook('onRequest', (request, _reply, next) => {
    let user: User | undefined | Promise<User>
    try {
      user = userOf(request)
    } catch (error) {
      return next(error as Error)
    }
    if (user instanceof Promise) return waitForUser(user, request, next)
    request.user = user
    next()
  })
  done()

  function userOf(request: FastifyRequest): User | undefined | Promise<User> {
    const { mode, header, idHeader } = impersonation
    const {
      caller,
      head: { callerId, userHeaders },
    } = request
    if (caller.user !== undefined && 'onBehalfOf' in caller.user) return userOfToken(request, caller.user)
    if (asCallersOnly) throw new UserTokenRequired()
    const own = userOfCallerId(request)
    if (mode === 'off') return own
    const sent = namedUser(userHeaders, impersonation)
    if (caller.user !== undefined) {
      const more = sent?.header ?? callerId
      if (more !== undefined) throw namedBesideToken(more)
      if (!('objectId' in caller.user)) return find(request, { email: caller.user.email })
      request.exchange.record.userSource = 'token'
      return caller.user
    }
    if (sent === undefined) {
      if (mode === 'required' && own === undefined) throw new UserRequired(header, idHeader)
      return own
    }
    return userOfHeader(request, sent, own)
  }

  /** The user that a header names, if the caller may act as them. */
  function userOfHeader(request: FastifyRequest, sent: SentUser, own: User | undefined): User | Promise<User> {
    const { caller } = request
    if (url.product !== 'dataverse') throw new ImpersonationUnsupported(sent.header)
    const may = mayName(caller.policy, sent.named)
    if (may === 'no') throw notListed()
    if (own !== undefined) {
      throw new BadRequest(`The request names its user twice. Leave out ${sent.header} or the caller id.`)
    }
    return may === 'yes' ? find(request, sent.named) : findListed(request, sent.named)
  }

  /**
   * The person whose token the caller sent. A header that names another user is an error, whatever the impersonation
   * mode, unless the settings allow these people to name others. Then the request runs as the other user, without the
   * token.
   */
  function userOfToken(
    request: FastifyRequest,
    { onBehalfOf: session, mayNameOthers }: SignedIn,
  ): User | Promise<User> {
    const { caller, head, exchange } = request
    const sent = namedUser(head.userHeaders, impersonation)
    if (mayNameOthers && sent !== undefined && head.callerId === undefined)
      return userOfHeader(request, sent, undefined)
    const more = sent?.header ?? head.callerId
    if (more !== undefined) throw namedBesideToken(more)
    if (onBehalfOf === undefined || caller.token === undefined) {
      throw new UserNotAllowed("the environment's credential cannot exchange tokens of people")
    }
    request.tokens = onBehalfOf.tokensOf({ ...session, ...caller.token })
    exchange.record.userSource = 'on-behalf-of'
    return { objectId: session.objectId }
  }

  function find({ exchange: { record } }: FastifyRequest, named: NamedUser): FoundUser | Promise<FoundUser> {
    const user = directory.find(named, record)
    record.userSource = user instanceof Promise ? 'lookup' : 'memory'
    return user
  }

  /** Finds a user whose row must show whether the caller may act as them. All unlisted users get the same error. */
  async function findListed(request: FastifyRequest, named: NamedUser): Promise<User> {
    const { policy } = request.caller
    const user = await new Promise<FoundUser>((resolve) => resolve(find(request, named))).catch((error: unknown) => {
      throw REVEALS_EXISTENCE.some((fault) => error instanceof fault) ? notListed() : error
    })
    if (!mayActAsFound(policy, user)) throw notListed()
    return user
  }

  /** The user that the request names by caller id. */
  function userOfCallerId({ caller, head: { callerId, namedUser }, exchange }: FastifyRequest): User | undefined {
    if (caller.policy.callerIds !== 'allow' || namedUser?.user === undefined) return undefined
    if (url.product === 'dataverse') {
      exchange.record.userSource = 'caller-id'
      return namedUser.user
    }
    throw new BadRequest(`This environment cannot act as a user: leave out ${callerId}.`)
  }
}

/** Waits for a lookup, and measures it. A function of its own, so that a user who is known needs no closure. */
function waitForUser(finding: Promise<User>, request: FastifyRequest, next: (error?: Error) => void): void {
  const started = performance.now()
  const waited = (): void => {
    const { timings, record } = request.exchange
    timings.user = performance.now() - started
    record.waited('user', started, timings.user)
  }
  finding.then(
    (found) => {
      waited()
      request.user = found
      next()
    },
    (error) => {
      waited()
      next(error)
    },
  )
}

/** Errors that would reveal which users outside a caller's list exist. */
const REVEALS_EXISTENCE = [UserUnknown, UserDisabled, UserAmbiguous, UserNotPerson]

function namedBesideToken(header: string): Error {
  return new BadRequest(`The user comes from the caller's token. Leave out ${header}.`)
}

function notListed(): Error {
  return new UserNotAllowed('the settings do not list the user for this caller')
}

export default fp(impersonate, { name: 'impersonate', fastify: '5.x', dependencies: ['authenticate'] })
