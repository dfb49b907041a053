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
  /** Serves the redirect, and says what came of it. */
  readonly wait?: boolean | undefined
  readonly port?: number | undefined
  /** The longest wait for the administrator, in milliseconds. */
  readonly timeout?: number | undefined
}

const CONSENT_TIMEOUT_MS = 15 * 60_000

/**
 * Prints the address at which an administrator consents to the app, in both forms; with `wait` says whether
 * it was granted.
 *
 * @returns the exit status: 0, or 2 when it was not granted
 */
export async function consent(
  { wait = false, port = DEFAULT_REDIRECT_PORT, timeout = CONSENT_TIMEOUT_MS }: ConsentArgs,
  io: CommandIo,
): Promise<number> {
  for (const target of io.settings.targets) {
    const state = randomBytes(32).toString('base64url')
    const redirectUri = `http://localhost:${port}`
    io.stdout.write(`${target.url.origin}\n  ${needOf(target)}\n`)
    const addresses = runsAsCaller(target.credential) ? undefined : consentAddresses(target, redirectUri, state)
    const ofPeople = peopleConsents(target, io.settings.callers, redirectUri, state)
    if (addresses === undefined && ofPeople.length === 0) continue
    if (addresses !== undefined) {
      io.stdout.write(
        '  An administrator of the tenant opens one of these ' +
          '(http://localhost must be a redirect URI of the registration):\n\n' +
          `  ${addresses[0]}\n\n  or, with the permissions of this environment alone:\n\n  ${addresses[1]}\n\n`,
      )
    }
    if (ofPeople.length > 0) {
      io.stdout.write('  For people who call with a token of their own, an administrator opens each of these once:\n\n')
      for (const { permission, url } of ofPeople) io.stdout.write(`  ${permission}:\n  ${url}\n\n`)
    }
    if (wait && (await outcome({ port, state, timeout }, io)) !== 0) return 2
  }
  return 0
}

/** Both forms of the address. `undefined`: nothing to consent to. */
function consentAddresses(target: Target, redirectUri: string, state: string): readonly [string, string] | undefined {
  const { credential } = target
  if (!('tenantId' in credential)) return undefined
  // Consent is given for one tenant; `common` is not accepted here.
  const tenant = credential.tenantId === 'common' ? 'organizations' : credential.tenantId
  const base = `${authorityHostOf(target)}/${tenant}`
  const common = { client_id: credential.clientId, redirect_uri: redirectUri, state }
  return [
    `${base}/adminconsent?${new URLSearchParams(common)}`,
    `${base}/v2.0/adminconsent?${new URLSearchParams({ ...common, scope: scopeOf(target) })}`,
  ]
}

function needOf({ credential, url }: Target): string {
  const { consent } = kindOf(credential)
  if (consent !== undefined) return consent
  switch (url.product) {
    case 'dataverse':
      return (
        'No consent is needed for an app of the same tenant: its rights come from the application user alone. ' +
        'An app of another tenant (multi-tenant) needs it once, so that the application user can be made.'
      )
    case 'finance-and-operations':
      return (
        'No consent is needed for an app of the same tenant: its rights come from System administration → Setup ' +
        '→ Microsoft Entra applications.'
      )
    case 'business-central':
      return 'Consent is needed: Business Central takes only tokens with API.ReadWrite.All or Automation.ReadWrite.All.'
  }
}

async function outcome(
  { port, state, timeout }: { readonly port: number; readonly state: string; readonly timeout: number },
  io: CommandIo,
): Promise<number> {
  const patience = new AbortController()
  const late = setTimeout(
    () =>
      patience.abort(
        new AuthorityFailure(
          {
            what: `No administrator consented within ${Math.round(timeout / 1000)} s.`,
            why: 'The time for this is limited.',
            todo: 'Run consent --wait again.',
          },
          true,
        ),
      ),
    timeout,
  )
  const left = (): void =>
    patience.abort(
      new AuthorityFailure(
        { what: 'The wait was cancelled.', why: 'You cancelled it.', todo: 'Run consent --wait again.' },
        true,
      ),
    )
  io.signal?.addEventListener('abort', left, { once: true })
  try {
    return await consented({ port, state, signal: patience.signal }, io)
  } finally {
    clearTimeout(late)
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
          : 'Consent was not granted. The terminal says why; you can close this tab.',
    })
    try {
      io.stdout.write(`  Waiting for the browser to come back to http://localhost:${port} …\n`)
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

/** The newer form says `admin_consent=True` even in an error. */
function isGranted(response: URLSearchParams): boolean {
  return response.get('admin_consent')?.toLowerCase() === 'true' && !response.has('error')
}
