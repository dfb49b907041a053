import { certificatesFile } from '../pem-file.ts'
import { redisAddress } from '../redis-address.ts'
import { readSecret } from '../secret.ts'
import type { Secret } from '../secret.ts'
import { group, SettingError } from '../setting.ts'
import type { Read, Setting } from '../setting.ts'
import { optional, secret } from '../values.ts'

/** Fewer characters could be guessed by whoever can read Redis. */
export const MIN_KEY_CHARACTERS = 32
/** A key with fewer different ones is not random. 32 random hexadecimal digits have 14 on average. */
const MIN_DIFFERENT_CHARACTERS = 8

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
      certificatesFile,
    ),
    encryptionKey: checked(
      secret({
        restart: true,
        description:
          `Hides from Redis what replicas keep there: at least ${MIN_KEY_CHARACTERS} random characters, the same in all ` +
          "replicas. Left out: derived from the credential's secret or certificate.",
        env: 'REDIS_ENCRYPTION_KEY',
      }),
      (text) => {
        const isTooShort = text.length < MIN_KEY_CHARACTERS
        if (isTooShort || new Set(text).size < MIN_DIFFERENT_CHARACTERS) {
          throw new SettingError(
            `is too ${isTooShort ? 'short' : 'easy to guess'}: write at least ${MIN_KEY_CHARACTERS} random characters, such as those of openssl rand -base64 32.`,
          )
        }
      },
    ),
  }),
  optional: true,
} as const

export type RedisSettings = NonNullable<Read<typeof redis>>

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
