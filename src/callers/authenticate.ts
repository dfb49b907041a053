import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { LRUCache } from 'lru-cache'

import type { Settings } from '../config/schema.ts'
import type { CallerSettings } from '../config/settings/callers.ts'
import type { Head } from '../door/read-head.ts'
import { BadRequest, CallerUnknown } from '../errors.ts'
import type { Caller, CallerOrFault } from '../identity/caller.ts'
import type { ReadJson } from '../outbound/read-json.ts'
import { keyHash, keyOwner } from './api-key.ts'
import { certificateOwner } from './client-certificate.ts'
import { tokenVerifier } from './jwt.ts'
import type { Listed, TokenHolder } from './jwt.ts'

/** Identifies the caller of a request. It waits only while the keys of a token's issuer are fetched. */
export type Identify = (
  head: Pick<Head, 'authorization' | 'apiKey'>,
  socket: Socket,
) => CallerOrFault | Promise<CallerOrFault>

interface Options {
  readonly identify: Identify
  /** Requests that pass without a caller. */
  readonly exempt?: (request: IncomingMessage) => boolean
}

/** Sets `request.caller`, or refuses the request with 401. */
function authenticate(app: FastifyInstance, { identify, exempt }: Options, registered: () => void): void {
  if (!app.hasRequestDecorator('caller')) app.decorateRequest('caller')
  app.addHook('onRequest', (request, reply, done) => {
    if (exempt?.(request.raw) === true) return done()
    const found = identify(request.head, request.raw.socket)
    if (found instanceof Promise) admitLater(found, request, reply, done)
    else admit(found, request, reply, done)
  })
  registered()
}

/** A function of its own, so that a caller who is identified at once needs no closure. */
function admitLater(
  finding: Promise<CallerOrFault>,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  finding.then((found) => admit(found, request, reply, done), done)
}

function admit(
  { caller, fault }: CallerOrFault,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  if (fault instanceof CallerUnknown) reply.header('www-authenticate', 'Bearer')
  if (fault !== undefined) return done(fault)
  request.caller = caller
  done()
}

export default fp(authenticate, { name: 'authenticate', fastify: '5.x', dependencies: ['head'] })

const HOW_TO =
  'send a key as "Authorization: Bearer" or "X-Api-Key", or another credential that its settings list for you'

const TWO_KEYS =
  'The request carries the keys of two callers, one in Authorization and one in X-Api-Key. Send one of them.'

/**
 * How the callers of `settings` are known. A key in `X-Api-Key` decides; else a key or token in `Authorization`,
 * which Dynamics clients fill with their own value, then a client certificate. Keys of two callers are
 * refused: one of the two would run the other's request.
 *
 * @param readJson for the public keys of token issuers
 */
export function knownCallers(
  { callers, anybody }: Pick<Settings, 'callers' | 'anybody'>,
  readJson: ReadJson,
): Identify {
  if (callers.length === 0) {
    const anyone: CallerOrFault = { caller: { name: 'anybody', policy: anybody } }
    return () => anyone
  }
  const listed = callers.map(listedCaller)
  const byKey = keyOwner(listed.flatMap(({ settings, caller }) => settings.keys.map((hash) => [hash, caller] as const)))
  const byCertificate = certificateOwner(
    listed.flatMap(({ settings, caller }) => settings.certificates.map((one) => [one, caller] as const)),
  )
  const byToken = callers.some(({ token }) => token !== undefined) ? tokenVerifier(listed, readJson) : undefined
  // By the hash of the token, so that a memory dump contains no tokens.
  const verified = new LRUCache<string, TokenHolder>({ max: 10_000 })

  return ({ apiKey, authorization }, socket) => {
    const bearer = authorization === undefined ? undefined : /^bearer +(\S+)$/i.exec(authorization)?.[1]
    if (apiKey !== undefined) {
      const owner = byKey(keyHash(apiKey))
      if (owner === undefined || bearer === undefined || bearer === apiKey) return known(owner)
      const other = byKey(keyHash(bearer))
      return other === undefined || other === owner ? known(owner) : { fault: new BadRequest(TWO_KEYS) }
    }
    if (bearer === undefined) return known(byCertificate(socket))
    const hash = keyHash(bearer)
    const holder = byKey(hash) ?? verified.get(hash)?.caller
    if (holder !== undefined) return { caller: withToken(holder, hash, bearer) }
    if (byToken === undefined || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(bearer)) return known(byCertificate(socket))
    return byToken(bearer).then(({ holder: found }) => {
      if (found === undefined) return known(byCertificate(socket))
      verified.set(hash, found, { ttl: Math.max(1, Math.min(found.expires - Date.now(), MAX_CACHE_MS)) })
      return { caller: withToken(found.caller, hash, bearer) }
    })
  }
}

/** A caller with its settings, as requests show it. */
export function listedCaller(settings: CallerSettings): Listed {
  return { settings, caller: { name: settings.name, policy: settings, inspect: settings.inspect } }
}

/** The caller with its token where that is to be exchanged: what is remembered of callers holds no tokens. */
function withToken(caller: Caller, id: string, assertion: string): Caller {
  const { user } = caller
  return user !== undefined && 'onBehalfOf' in user ? { ...caller, token: { id, assertion } } : caller
}

function known(caller: Caller | undefined): CallerOrFault {
  return caller === undefined ? { fault: new CallerUnknown(HOW_TO) } : { caller }
}

/** A token is verified again after this time, so that revoked keys of an issuer are no longer accepted. */
const MAX_CACHE_MS = 10 * 60_000
