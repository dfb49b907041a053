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
import { severalCallerIds, userNamedBy } from '../identity/caller-id.ts'
import type { UserOrFault } from '../identity/caller.ts'
import { MAX_ADDRESS_CHARACTERS, MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { headerLetters } from '../odata/header-letters.ts'
import { isMethodOverride } from '../odata/methods.ts'
import { NO_PREFERENCES, preferencesOf } from '../odata/preferences.ts'
import type { Preferences } from '../odata/preferences.ts'
import { targetFault } from '../odata/request-target.ts'
import { headerNames } from './header-names.ts'

/**
 * The facts of a request's head. Repeated lines are joined by a comma, which makes each use of
 * them fail.
 */
export interface Head {
  /** Characters of all header lines. */
  size: number
  host: string | undefined
  origin: string | undefined
  fetchSite: string | undefined
  authorization: string | undefined
  apiKey: string | undefined
  /** The header that `requiredHeader` names. */
  required: string | undefined
  contentLength: string | undefined
  transferEncoding: string | undefined
  /** How many Content-Type lines there are. Servers disagree about which of several counts. */
  contentTypes: number
  /** Whether a `Connection` header would remove headers that describe the body. */
  hidesBody: boolean
  /** Whether the caller asks for another protocol. */
  upgrade: boolean
  /** The first header, as it was spelt, that names the user to act as. */
  callerId: string | undefined
  /** The user that it names; a fault where its value cannot be used, or where there are others. */
  namedUser: UserOrFault | undefined
  /** The first header that skips business logic. */
  bypass: string | undefined
  /** The first header that asks for another method than the request's. */
  override: string | undefined
  /** The headers that name the user by e-mail address or object id, in any spelling, flat as received. */
  userHeaders: readonly string[] | undefined
  /** The first of them that is spelt in another way than the settings have it. */
  userVariant: string | undefined
  /** What all its `Prefer` lines ask for. */
  preferences: Preferences
}

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
/** The characters of a header line besides its name and value. */
const LINE_OVERHEAD = ': \r\n'.length

/** What is wrong with an address that is too long for Dynamics: a GET can still go inside a `$batch`. */
function addressFault(method: string, target: string): Error | undefined {
  if (method !== 'GET' && method !== 'HEAD') return new AddressTooLong()
  return target.length > MAX_BATCHED_ADDRESS_CHARACTERS ? new QueryTooLong() : undefined
}

/**
 * Collects the facts.
 *
 * @param rawHeaders flat: name, value, name, value, as received
 * @param required name of the header that every request must carry, in lower case
 * @param nameOf reads the name of a header; default: none names the user
 */
export function readHead(rawHeaders: readonly string[], required?: string, nameOf = nameWithoutUser): Head {
  const head: Head = {
    size: 0,
    host: undefined,
    origin: undefined,
    fetchSite: undefined,
    authorization: undefined,
    apiKey: undefined,
    required: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    contentTypes: 0,
    hidesBody: false,
    upgrade: false,
    callerId: undefined,
    namedUser: undefined,
    bypass: undefined,
    override: undefined,
    userHeaders: undefined,
    userVariant: undefined,
    preferences: NO_PREFERENCES,
  }
  let prefer: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const spelt = rawHeaders[index]!
    const value = rawHeaders[index + 1]!
    const known = nameOf(spelt)
    const { name } = known
    head.size += spelt.length + value.length + LINE_OVERHEAD
    if (name === required) head.required = joined(head.required, value)
    if (known.namesUser) head.userHeaders = [...(head.userHeaders ?? []), spelt, value]
    switch (name) {
      case 'host':
        head.host = joined(head.host, value)
        break
      case 'origin':
        head.origin = joined(head.origin, value)
        break
      case 'sec-fetch-site':
        head.fetchSite = joined(head.fetchSite, value)
        break
      case 'authorization':
        head.authorization = joined(head.authorization, value)
        break
      case 'x-api-key':
        head.apiKey = joined(head.apiKey, value)
        break
      case 'content-length':
        head.contentLength = joined(head.contentLength, value)
        break
      case 'transfer-encoding':
        head.transferEncoding = joined(head.transferEncoding, value)
        break
      case 'content-type':
        head.contentTypes += isList(value) ? 2 : 1
        break
      case 'connection':
        head.hidesBody ||= namesBodyHeader(value)
        break
      case 'upgrade':
        head.upgrade = true
        break
      case 'prefer':
        prefer = joined(prefer, value)
        break
      default:
        if (known.isUserVariant) head.userVariant ??= spelt
        if (known.isNoteworthy) note(head, spelt, value, known.letters)
    }
  }
  if (prefer !== undefined) head.preferences = preferencesOf(prefer)
  return head
}

const nameWithoutUser = headerNames([])

/** Records headers whose mere presence matters, in any spelling. */
function note(head: Head, spelt: string, value: string, letters: string): void {
  if (letters === 'callerobjectid' || letters === 'mscrmcallerid' || letters === 'mscrmcallerobjectid') {
    head.namedUser = head.callerId === undefined ? userNamedBy(spelt, value) : severalCallerIds()
    head.callerId ??= spelt
  }
  const isBypass = letters.startsWith('mscrmbypass') || letters === 'mscrmsuppresscallbackregistrationexpanderjob'
  if (isBypass) head.bypass ??= spelt
  if (isMethodOverride(letters)) head.override ??= spelt
}

/** Whether a value has a comma outside quotes, as joined lines have. */
function isList(value: string): boolean {
  if (!value.includes(',')) return false
  let isQuoted = false
  for (let at = 0; at < value.length; at++) {
    const character = value[at]
    if (character === '"') isQuoted = !isQuoted
    else if (character === '\\' && isQuoted) at++
    else if (character === ',' && !isQuoted) return true
  }
  return isQuoted
}

/** Whether a `Connection` header names a header that describes the body. */
const namesBodyHeader = cachedByText((value) => /(?:^|,)\s*(?:content-|transfer-encoding)/i.test(value))

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`
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
