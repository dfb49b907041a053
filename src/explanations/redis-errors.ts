/** A command to Redis took too long. */
export const REDIS_TIMEOUT = 'TIMEOUT'

/** A reply has another type than those of Redis. */
export const INVALID_REPLY = 'INVALID_REPLY'

/** What an error of Redis or of the connection to it is called: a code in capital letters. */
export function redisErrorCode(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (typeof code === 'string') return code
  return /^[A-Z]{2,}(?= |$)/.exec(String(message))?.[0] ?? 'CLOSED'
}

/** How to fix what an error of Redis means: a sentence. */
export function redisFix(code: string): string {
  return FIXES.get(code) ?? 'Check whether Redis runs, and whether this machine can reach it.'
}

const FIXES = new Map([
  [REDIS_TIMEOUT, 'Redis answers too slowly: check how busy it is, and how far away.'],
  [INVALID_REPLY, 'Another service than Redis responds there: correct REDIS_URL.'],
  ['ENOTFOUND', 'There is no host with this name: correct REDIS_URL.'],
  ['WRONGPASS', 'Correct the user name and the password in REDIS_URL or REDIS_PASSWORD.'],
  ['NOAUTH', 'Redis wants a password: write it into REDIS_URL or REDIS_PASSWORD.'],
  ['NOPERM', "The ACL user lacks a command, key or channel: give it those of the documentation's list."],
  ['OOM', 'The memory of Redis is full: raise maxmemory, or set an eviction policy such as allkeys-lru.'],
  ['READONLY', 'This Redis is a read-only replica: write the address of the primary into REDIS_URL.'],
  ['MISCONF', 'Redis accepts no writes, because it cannot save them: look at its log.'],
  ['MOVED', 'This is a node of a cluster: use a Redis without cluster mode.'],
  ['ERR', 'Use Redis 6 or newer, or Valkey.'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'Write the path of the certificate into REDIS_CA_PATH.'],
  ['SELF_SIGNED_CERT_IN_CHAIN', "Write the path of the authority's certificate into REDIS_CA_PATH."],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', "Write the path of the authority's certificate into REDIS_CA_PATH."],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'Write the host name that the certificate is for into REDIS_URL.'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'This port has no TLS: write redis:// instead of rediss://, or another port.'],
])
