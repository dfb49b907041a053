import { randomUUID } from 'node:crypto'

import { endpointsOf } from '../../credentials/endpoints.ts'
import { AuthorityFailure } from '../../credentials/failure.ts'
import type { PersonsToken } from '../../credentials/token-endpoint.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import type { CommandIo } from '../command-io.ts'
import { signInWithBrowser } from './browser.ts'
import { delegatedTargets } from './delegated-targets.ts'
import type { DelegatedTarget } from './delegated-targets.ts'
import { signInWithDevice } from './device.ts'
import { openBrowser } from './open-browser.ts'
import { DEFAULT_REDIRECT_PORT } from './redirect.ts'

export interface LoginArgs {
  /** Shows a code to enter on any machine, instead of opening a browser on this one. */
  readonly device?: boolean | undefined
  /** The port on this machine to which the browser is redirected. */
  readonly port?: number | undefined
  /** The longest wait for the person, in milliseconds. */
  readonly timeout?: number | undefined
}

/** Long enough to find a password and a second factor. */
const SIGN_IN_TIMEOUT_MS = 5 * 60_000

/**
 * Signs a person in once for each app registration with CREDENTIAL=delegated, and stores the refresh token.
 *
 * @returns the exit status: 0 signed in, 2 not
 */
export async function login(
  { device = false, port = DEFAULT_REDIRECT_PORT, timeout = SIGN_IN_TIMEOUT_MS }: LoginArgs,
  io: CommandIo,
): Promise<number> {
  const targets = delegatedTargets(io)
  if (targets.length === 0) {
    return printFailure(io, {
      what: 'No environment is configured to run requests as a person.',
      why: 'CREDENTIAL is not delegated.',
      todo: 'Set CREDENTIAL=delegated, then run login again.',
    })
  }
  for (const target of targets) {
    try {
      const { userName, refreshToken } = await signIn(target, { device, port, timeout }, io)
      if (refreshToken === undefined) return printFailure(io, NO_REFRESH_TOKEN)
      target.store.write({ id: randomUUID(), refreshToken, userName })
      io.stdout.write(`Signed in${userName === undefined ? '' : ` as ${userName}`}. Stored in ${target.store.file}\n`)
    } catch (error) {
      return printFailure(io, explanationOf(error, port, target))
    }
  }
  return 0
}

async function signIn(
  { app, secret }: DelegatedTarget,
  { device, port, timeout }: Required<LoginArgs>,
  io: CommandIo,
): Promise<PersonsToken> {
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(new AuthorityFailure(signInTimedOut(timeout!), true)), timeout)
  const cancelled = (): void =>
    waiting.abort(
      new AuthorityFailure(
        { what: 'The sign-in was cancelled.', why: 'You cancelled it.', todo: 'Run login again.' },
        true,
      ),
    )
  io.signal?.addEventListener('abort', cancelled, { once: true })
  try {
    const { signal } = waiting
    const endpoints = await endpointsOf(app, { dispatcher: app.dispatcher, signal })
    const signingIn = {
      app,
      endpoints,
      secret,
      signal,
      print: (text: string) => void io.stdout.write(text),
      openBrowser: io.stdout.isTTY === true ? openBrowser : undefined,
    }
    return await (device === true ? signInWithDevice(signingIn) : signInWithBrowser(signingIn, port!))
  } finally {
    clearTimeout(timer)
    io.signal?.removeEventListener('abort', cancelled)
  }
}

/** Why the sign-in failed. Rethrows `error` if it is a bug. */
export function explanationOf(error: unknown, port: number, { store }: Pick<DelegatedTarget, 'store'>): Explanation {
  if (error instanceof AuthorityFailure) return error.explanation
  const { code = '', syscall } = error as NodeJS.ErrnoException
  if (syscall === 'listen')
    return {
      what: `Port ${port} cannot be opened (${code}).`,
      why: 'Another program uses it.',
      todo: 'Choose another port with --port; Entra accepts any port for http://localhost.',
    }
  if (syscall === undefined) throw error
  return {
    what: `The sign-in cannot be stored in ${store.file} (${code}).`,
    why: 'The folder is not writable.',
    todo: 'Set XDG_STATE_HOME to a folder that the gateway can write to.',
  }
}

function signInTimedOut(timeout: number): Explanation {
  return {
    what: `Nobody signed in within ${Math.round(timeout / 1000)} s.`,
    why: 'The wait is limited.',
    todo: 'Run login again, with --device if this machine has no browser.',
  }
}

const NO_REFRESH_TOKEN: Explanation = {
  what: 'The authority issued no refresh token, so the sign-in cannot be stored.',
  why: 'The app registration does not allow offline_access.',
  todo: 'Allow it (Entra does so by default), then run login again.',
}

function printFailure({ stderr }: CommandIo, { what, why, todo }: Explanation): number {
  stderr.write(`${what}\n  Why: ${why}\n  What to do: ${todo}\n`)
  return 2
}
