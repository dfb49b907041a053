import { randomBytes } from 'node:crypto'

import { runsAsCaller } from '../config/credential.ts'
import type { Target } from '../config/schema.ts'
import { authorityHostOf, scopeOf } from '../credentials/credential-facts.ts'
import { AuthorityFailure } from '../credentials/failure.ts'
import { kindOf } from '../credentials/kinds.ts'
import type { CommandIo } from './command-io.ts'
import { declined } from './login/browser.ts'
import { awaitRedirect, DEFAULT_REDIRECT_PORT } from './login/redirect.ts'
import { peopleConsents } from './people-consents.ts'

export interface ConsentArgs {
  /** Waits for the redirect, and prints the result. */
  readonly wait?: boolean | undefined
  readonly port?: number | undefined
  /** The longest wait for the administrator, in milliseconds. */
  readonly timeout?: number | undefined
}

const CONSENT_TIMEOUT_MS = 15 * 60_000

/**
 * Prints the URLs at which an administrator consents to the app. With `wait` it also prints whether consent was
 * granted.
 *
 * @returns the exit status: 0, or 2 if consent was not granted
 */
export async function consent(
  { wait = false, port = DEFAULT_REDIRECT_PORT, timeout = CONSENT_TIMEOUT_MS }: ConsentArgs,
  io: CommandIo,
): Promise<number> {
  for (const target of io.settings.targets) {
    const state = randomBytes(32).toString('base64url')
    const redirectUri = `http://localhost:${port}`
    io.stdout.write(`${target.url.origin}\n  ${consentNeedOf(target)}\n`)
    const addresses = runsAsCaller(target.credential) ? undefined : consentAddresses(target, redirectUri, state)
    const ofPeople = peopleConsents(target, io.settings.callers, redirectUri, state)
    if (addresses === undefined && ofPeople.length === 0) continue
    if (addresses !== undefined) {
      io.stdout.write(
        '  An administrator of the tenant opens one of these URLs ' +
          '(http://localhost must be a redirect URI of the registration):\n\n' +
          `  ${addresses[0]}\n\n  or, with only the permissions of this environment:\n\n  ${addresses[1]}\n\n`,
      )
    }
    if (ofPeople.length > 0) {
      io.stdout.write(
        '  For people who call with their own tokens, an administrator opens each of these URLs once:\n\n',
      )
      for (const { permission, url } of ofPeople) io.stdout.write(`  ${permission}:\n  ${url}\n\n`)
    }
    if (wait && (await awaitConsent({ port, state, timeout }, io)) !== 0) return 2
  }
  return 0
}

/** Both forms of the URL; `undefined` if there is nothing to consent to. */
function consentAddresses(target: Target, redirectUri: string, state: string): readonly [string, string] | undefined {
  const { credential } = target
  if (!('tenantId' in credential)) return undefined
  // Consent is granted for one tenant. This endpoint does not accept `common`.
  const tenant = credential.tenantId === 'common' ? 'organizations' : credential.tenantId
  const base = `${authorityHostOf(target)}/${tenant}`
  const common = { client_id: credential.clientId, redirect_uri: redirectUri, state }
  return [
    `${base}/adminconsent?${new URLSearchParams(common)}`,
    `${base}/v2.0/adminconsent?${new URLSearchParams({ ...common, scope: scopeOf(target) })}`,
  ]
}

function consentNeedOf({ credential, url }: Target): string {
  const { consent } = kindOf(credential)
  if (consent !== undefined) return consent
  switch (url.product) {
    case 'dataverse':
      return (
        'No consent is needed for an app of the same tenant: its rights come only from the application user. ' +
        'An app of another tenant (multi-tenant) needs it once, so that the application user can be created.'
      )
    case 'finance-and-operations':
      return (
        'No consent is needed for an app of the same tenant: its rights come from System administration → Setup ' +
        '→ Microsoft Entra applications.'
      )
    case 'business-central':
      return 'Consent is needed: Business Central accepts only tokens with API.ReadWrite.All or Automation.ReadWrite.All.'
  }
}

async function awaitConsent(
  { port, state, timeout }: { readonly port: number; readonly state: string; readonly timeout: number },
  io: CommandIo,
): Promise<number> {
  const waiting = new AbortController()
  const timer = setTimeout(
    () =>
      waiting.abort(
        new AuthorityFailure(
          {
            what: `No administrator consented within ${Math.round(timeout / 1000)} s.`,
            why: 'The wait is limited.',
            todo: 'Run consent --wait again.',
          },
          true,
        ),
      ),
    timeout,
  )
  const left = (): void =>
    waiting.abort(
      new AuthorityFailure(
        { what: 'The wait was cancelled.', why: 'You cancelled it.', todo: 'Run consent --wait again.' },
        true,
      ),
    )
  io.signal?.addEventListener('abort', left, { once: true })
  try {
    return await consented({ port, state, signal: waiting.signal }, io)
  } finally {
    clearTimeout(timer)
  }
}

async function consented(
  { port, state, signal }: { readonly port: number; readonly state: string; readonly signal: AbortSignal },
  io: CommandIo,
): Promise<number> {
  try {
    const redirect = await awaitRedirect({
      port,
      state,
      signal,
      page: (response) =>
        isGranted(response)
          ? 'Consent was granted. You can close this tab.'
          : 'Consent was not granted. The terminal shows the reason. You can close this tab.',
    })
    try {
      io.stdout.write(`  Waiting for the redirect to http://localhost:${port} …\n`)
      const response = await redirect.response
      if (!isGranted(response)) throw declined(response)
      const tenant = response.get('tenant') ?? ''
      io.stdout.write(
        `  Granted${/^[\w.-]{1,100}$/.test(tenant) ? ` for the tenant ${tenant} (as reported by the browser)` : ''}.\n`,
      )
      return 0
    } finally {
      redirect.close()
    }
  } catch (error) {
    if (error instanceof AuthorityFailure) {
      const { what, why, todo } = error.explanation
      io.stderr.write(`  Not granted. ${what}\n  Why: ${why}\n  What to do: ${todo}\n`)
    } else {
      const { code } = error as NodeJS.ErrnoException
      io.stderr.write(`  Not granted: port ${port} cannot be listened at (${code}). Choose another with --port.\n`)
    }
    return 2
  }
}

/** Whether consent was granted. The newer form has `admin_consent=True` even in an error. */
function isGranted(response: URLSearchParams): boolean {
  return response.get('admin_consent')?.toLowerCase() === 'true' && !response.has('error')
}
