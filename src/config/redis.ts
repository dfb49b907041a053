import { readFileSync } from 'node:fs'

import type { Credential } from './credential.ts'
import { placeholderIn, placeholderInSecret } from './placeholders.ts'
import { readSecret } from './secret.ts'
import type { Secret } from './secret.ts'
import { group, SettingError } from './setting.ts'
import type { Read, Setting } from './setting.ts'
import { optional, readableFile, secret } from './values.ts'

/** Fewer characters could be guessed by whoever can read Redis. */
const MIN_KEY_CHARACTERS = 32

/** Where replicas share what they know. */
export const redis = {
  ...group('Redis or Valkey, through which several replicas of the gateway share what they know.', {
    url: checked(
      secret({
        restart: true,
        description:
          'The address of Redis or Valkey: `redis://host:6379`, or `rediss://` for TLS; with an ACL user as ' +
          '`rediss://user:password@host:6379`. It may be unreachable at any time: then each replica works alone.',
        env: 'REDIS_URL',
        required: true,
        hint: 'a URL such as rediss://user:password@redis.contoso.com:6380, or the path of a file that holds it in REDIS_URL_FILE',
      }),
      (text) => void redisAddress(text),
    ),
    password: secret({
      restart: true,
      description: 'The password, if the URL has none. A file is read again for each connection.',
      env: 'REDIS_PASSWORD',
    }),
    ca: optional(
      {
        restart: true,
        description: "A PEM file with the authority of Redis' certificate. Left out: the authorities that Node trusts.",
        env: 'REDIS_CA_PATH',
        hint: 'the path of the file',
      },
      readableFile,
    ),
    encryptionKey: checked(
      secret({
        restart: true,
        description:
          'Hides from Redis what replicas keep there: at least 32 random characters, the same in all replicas. Left ' +
          "out: derived from the credential's secret or certificate.",
        env: 'REDIS_ENCRYPTION_KEY',
      }),
      (text) => {
        if (text.length < MIN_KEY_CHARACTERS) {
          throw new SettingError(
            `is too short: write at least ${MIN_KEY_CHARACTERS} random characters, such as those of openssl rand -base64 32.`,
          )
        }
      },
    ),
  }),
  optional: true,
} as const

export type RedisSettings = NonNullable<Read<typeof redis>>

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

/**
 * Reads what all replicas of a target know and nobody else does; `undefined` for a credential that has nothing of the
 * kind.
 */
export function sharedSecretOf(credential: Credential): (() => string | Buffer) | undefined {
  switch (credential.kind) {
    case 'client-secret':
      return credential.secret.reveal
    case 'certificate':
      return () => readFileSync(credential.file)
    case 'on-behalf-of': {
      const { secret, certificateFile } = credential
      return secret?.reveal ?? (certificateFile === undefined ? undefined : () => readFileSync(certificateFile))
    }
    case 'workload-identity':
    case 'managed-identity':
    case 'delegated':
      return undefined
  }
}

/** A secret whose value `check` looks at when it is read first; `check` throws a {@link SettingError}. */
function checked<T extends Secret | undefined>(setting: Setting<T>, check: (text: string) => void): Setting<T> {
  return {
    ...setting,
    read: (raw, source) => {
      const secret = readSecret(raw, source)
      check(secret.reveal())
      return secret as T
    },
  }
}
