import { severalCallerIds, userNamedBy } from '../identity/caller-id.ts'
import type { UserOrFault } from '../identity/caller.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { isMethodOverride } from '../odata/methods.ts'
import { NO_PREFERENCES, preferencesOf } from '../odata/preferences.ts'
import type { Preferences } from '../odata/preferences.ts'
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

/** The characters of a header line besides its name and value. */
const LINE_OVERHEAD = ': \r\n'.length

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
