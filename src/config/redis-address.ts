import { placeholderIn, placeholderInSecret } from './placeholders.ts'
import { SettingError } from './setting.ts'

/** What a URL says of the way to Redis. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

const DEFAULT_PORT = 6379

/** @throws {SettingError} that holds nothing of the URL, for it may hold a password */
export function redisAddress(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const tls = url?.protocol === 'rediss:'
  const database = /^\/?(\d{0,4})$/.exec(url?.pathname ?? '')?.[1]
  if (url === undefined || (!tls && url.protocol !== 'redis:') || url.hostname === '' || database === undefined) {
    throw new SettingError(
      'is not the address of a Redis: write redis://host:6379, or rediss://user:password@host:6379 with TLS; ' +
        'encode characters such as @ and / in the password, or write it into REDIS_PASSWORD.',
    )
  }
  const left = placeholderIn(url.host) ?? placeholderInSecret(decoded(url.password) ?? '')
  if (left !== undefined) throw new SettingError(`holds ${left}: write the address itself.`)
  if (url.search + url.hash !== '' || url.port === '0') {
    throw new SettingError(
      'has a ?, a # or a port that it cannot have: write rediss://host:6379, with TLS by its scheme.',
    )
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    tls,
    username: decoded(url.username),
    password: decoded(url.password),
    database: Number(database),
  }
}

function decoded(text: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text)
  } catch {
    throw new SettingError('has a % that encodes nothing: write %25 for a % of the user name or password.')
  }
}
