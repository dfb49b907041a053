import { headerLetters } from '../odata/header-letters.ts'
import { HOP_BY_HOP } from '../odata/hop-by-hop.ts'
import { isMethodOverride } from '../odata/methods.ts'
import { SettingError } from './setting.ts'

/**
 * Headers with a meaning in HTTP, OData, Dynamics or the gateway, and headers that clients and proxies add.
 */
const RESERVED = new Set([
  ...HOP_BY_HOP,
  'age',
  'alt-used',
  'authorization',
  'autodisassociate',
  'baggage',
  'cache-control',
  'callerobjectid',
  'consistency',
  'cookie',
  'cookie2',
  'date',
  'dnt',
  'etag',
  'expect',
  'forwarded',
  'host',
  'idempotency-key',
  'isolation',
  'last-modified',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'prefer',
  'priority',
  'purpose',
  'range',
  'referer',
  'retry-after',
  'server',
  'set-cookie',
  'slug',
  'traceparent',
  'tracestate',
  'upgrade-insecure-requests',
  'user-agent',
  'vary',
  'via',
  'warning',
  'www-authenticate',
  'x-api-key',
  'x-authorization',
  'x-forwarded-access-token',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-ms-client-request-id',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
])

/** Prefixes of such headers. */
const RESERVED_PREFIXES = /^(?:accept|access-control|content|if|odata|proxy|sec|x-ms-token)(?:-|$)|^mscrm/

/** The name of a header without another meaning, in lower case. */
export function ownHeader(text: string): string {
  const name = text.toLowerCase()
  if (!/^[a-z0-9-]+$/.test(name)) throw new SettingError('is not a header name: write letters, digits and dashes.')
  if (RESERVED.has(name) || RESERVED_PREFIXES.test(name) || isMethodOverride(headerLetters(name))) {
    throw new SettingError(`is ${name}, which has another meaning: write another name, such as x-user-email.`)
  }
  return name
}

/** `name: value`, or only a name, of a header that a web page cannot add without CORS. */
export function requiredHeader(text: string): string {
  const [, name = '', value] = /^([^:]*)(:.*)?$/s.exec(text)!
  if (!/^[a-z0-9-]+$/i.test(name)) throw new SettingError('is not a header: write a name, or name: value.')
  try {
    ownHeader(name)
  } catch {
    throw new SettingError(
      `is ${name.toLowerCase()}, which browsers and clients send by themselves or HTTP gives a meaning: ` +
        'write one such as x-gateway: true.',
    )
  }
  if (value?.slice(1).trim() === '') {
    throw new SettingError(`has no value after the colon: write ${name}: true, or ${name} alone for any value.`)
  }
  if (value !== undefined && /\p{Cc}/u.test(value))
    throw new SettingError('holds a control character: write x-gateway: true.')
  return text
}
