import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

import type { AppRegistration } from './app-registration.ts'

/** A person's sign-in, stored between runs. */
export interface StoredSignIn {
  /** New with every sign-in, unchanged by renewals. */
  readonly id: string
  readonly refreshToken: string
  /** For display only. */
  readonly userName?: string | undefined
}

/** The file with the sign-in of one app registration. Only its owner may read it. */
export interface TokenStore {
  readonly file: string
  /** `undefined`: nobody has signed in. */
  readonly read: () => StoredSignIn | undefined
  readonly write: (signIn: StoredSignIn) => void
  /** Returns whether there was one. */
  readonly remove: () => boolean
}

/** The store of the sign-in of `app`: below `XDG_STATE_HOME`, or `~/.local/state`. */
export function tokenStore(
  { authorityHost, tenantId, clientId }: Pick<AppRegistration, 'authorityHost' | 'tenantId' | 'clientId'>,
  env: Readonly<Record<string, string | undefined>>,
): TokenStore {
  const id = createHash('sha256')
    .update(`${authorityHost} ${tenantId} ${clientId}`.toLowerCase())
    .digest('hex')
    .slice(0, 16)
  const file = join(
    env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'),
    'dynamics-gateway',
    `sign-in-${id}.json`,
  )
  return {
    file,
    read: () => {
      const text = unlessMissing(() => readFileSync(file, 'utf8'))
      return text === undefined ? undefined : parse(text)
    },
    write: (signIn) => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
      // Written atomically, and never readable by others, not even briefly.
      const temporary = `${file}.${randomUUID()}`
      writeFileSync(temporary, `${JSON.stringify(signIn)}\n`, { mode: 0o600, flag: 'wx' })
      renameSync(temporary, file)
    },
    remove: () =>
      unlessMissing(() => {
        rmSync(file)
        return true
      }) ?? false,
  }
}

function parse(text: string): StoredSignIn | undefined {
  try {
    const { id, refreshToken, userName } = JSON.parse(text) as Record<string, unknown>
    if (typeof id !== 'string' || typeof refreshToken !== 'string') return undefined
    return { id, refreshToken, ...(typeof userName === 'string' ? { userName } : {}) }
  } catch {
    return undefined
  }
}

function unlessMissing<T>(use: () => T): T | undefined {
  try {
    return use()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
