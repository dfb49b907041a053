import type { Socket } from 'node:net'

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config/schema.ts'
import {
  AddressTooLong,
  BadRequest,
  BadUserEmail,
  BadUserId,
  ExpectationFailed,
  HeadTooLarge,
  QueryTooLong,
} from '../errors.ts'
import { MAX_ADDRESS_CHARACTERS, MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { headerLetters } from '../odata/header-letters.ts'
import { targetFault } from '../odata/request-target.ts'
import { headerNames } from './header-names.ts'
import { readHead } from './read-head.ts'
import type { Head } from './read-head.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `head`. */
    head: Head
  }
}

/** Reads the head of each request once, and refuses requests that cannot be forwarded safely. */
function head(
  app: FastifyInstance,
  settings: Pick<Settings, 'requiredHeader' | 'targets'>,
  registered: () => void,
): void {
  const required = settings.requiredHeader?.split(':')[0]?.trim().toLowerCase()
  const emailHeaders = settings.targets.map(({ impersonation }) => impersonation.header)
  const nameOf = headerNames([...emailHeaders, ...settings.targets.map(({ impersonation }) => impersonation.idHeader)])
  const emailLetters = new Set(emailHeaders.map(headerLetters))
  /** Connections on which no further request is accepted. */
  const closingSockets = new WeakSet<Socket>()
  app.decorateRequest('head')
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    if (request.originalUrl.length > MAX_ADDRESS_CHARACTERS) {
      const fault = addressFault(request.method, request.originalUrl)
      if (fault !== undefined) return done(fault)
    }
    if (raw.rawHeaders.length > MAX_HEADER_LINES * 2) return done(new HeadTooLarge())
    const facts = readHead(raw.rawHeaders, required, nameOf)
    request.head = facts
    if (facts.size > MAX_HEADER_BYTES) return done(new HeadTooLarge())
    const { expect } = raw.headers
    if (expect !== undefined && expect.toLowerCase() !== '100-continue') return done(new ExpectationFailed())
    const framing = framingFault(facts, request.method, raw.httpVersion)
    const isLast = closingSockets.has(raw.socket)
    // A caller that asks for another protocol may already be sending it, and the end of an ambiguous body is unknown:
    // the following bytes are not a request.
    if (facts.upgrade || framing !== undefined) {
      reply.raw.shouldKeepAlive = false
      closingSockets.add(raw.socket)
    }
    const fault = isLast ? AFTER_THE_LAST : (targetFault(request.originalUrl) ?? framing)
    if (fault !== undefined) return done(new BadRequest(fault))
    const { userVariant: variant } = facts
    if (variant === undefined) return done()
    const BadUser = emailLetters.has(headerLetters(variant)) ? BadUserEmail : BadUserId
    done(new BadUser(variant, 'write its name as the settings do, with the same dashes'))
  })
  registered()
}

export default fp(head, { name: 'head', fastify: '5.x' })

const AFTER_THE_LAST = 'The previous request was the last one on this connection.'
const MAX_HEADER_LINES = 100
/** Of all header lines together. The address is counted by itself. */
const MAX_HEADER_BYTES = 64 * 1024

/** What is wrong with an address that is too long for Dynamics: a GET can still go inside a `$batch`. */
function addressFault(method: string, target: string): Error | undefined {
  if (method !== 'GET' && method !== 'HEAD') return new AddressTooLong()
  return target.length > MAX_BATCHED_ADDRESS_CHARACTERS ? new QueryTooLong() : undefined
}

/**
 * The error, beyond those that Node itself refuses, of the request's framing or of its version of
 * HTTP.
 */
function framingFault(head: Head, method: string, version: string): string | undefined {
  const { contentLength, transferEncoding, contentTypes, hidesBody } = head
  if (version !== '1.1' && version !== '1.0') return 'The gateway supports HTTP/1.1 only.'
  if (contentTypes > 1) return 'Send one Content-Type.'
  if (hidesBody) return 'The header Connection must not name headers that describe the body.'
  if (transferEncoding !== undefined && (version === '1.0' || transferEncoding.toLowerCase() !== 'chunked')) {
    return 'The only supported transfer encoding is chunked, in HTTP/1.1.'
  }
  const bodied = transferEncoding !== undefined || (contentLength !== undefined && !/^0+$/.test(contentLength))
  if (!bodied || (method !== 'GET' && method !== 'HEAD')) return undefined
  return `A ${method} request cannot have a body. Leave it out, or use another method.`
}
