import { createHash, randomBytes } from 'node:crypto'

import { isOAuthError } from '../../credentials/authority-response.ts'
import { delegatedScope } from '../../credentials/delegated.ts'
import { AuthorityFailure } from '../../credentials/failure.ts'
import { redeem } from '../../credentials/token-endpoint.ts'
import type { PersonsToken } from '../../credentials/token-endpoint.ts'
import { explainAuthorityResponse } from '../../explanations/authority-errors.ts'
import { awaitRedirect } from './redirect.ts'
import type { SignInContext } from './sign-in-context.ts'

/**
 * Signs a person in with the browser on this machine: authorization code with PKCE, redirected to loopback.
 *
 * @throws AuthorityFailure, or the system's error if the port is in use
 */
export async function signInWithBrowser(
  { app, endpoints, secret, signal, print, openBrowser }: SignInContext,
  port: number,
): Promise<PersonsToken> {
  const [verifier, state] = [random(), random()]
  const redirectUri = `http://localhost:${port}`
  const redirect = await awaitRedirect({
    port,
    state,
    signal,
    page: (response) =>
      response.has('code')
        ? 'Done. You can close this tab.'
        : 'You are not signed in. The terminal shows the reason. You can close this tab.',
  })
  try {
    const address = new URL(endpoints.authorization)
    for (const [name, value] of Object.entries({
      client_id: app.clientId,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: delegatedScope(app),
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }))
      address.searchParams.set(name, value)
    print(
      `Open this address in a browser on this machine, and sign in:\n\n  ${address.href}\n\n` +
        `Waiting for the redirect to ${redirectUri} …\n`,
    )
    openBrowser?.(address.href)
    const response = await redirect.response
    const code = response.get('code')
    if (code === null) throw declined(response)
    return await redeem(
      endpoints.token,
      {
        grant_type: 'authorization_code',
        client_id: app.clientId,
        client_secret: secret,
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        scope: delegatedScope(app),
      },
      { dispatcher: app.dispatcher, signal },
    )
  } finally {
    redirect.close()
  }
}

/** Explains a redirect without a code. */
export function declined(response: URLSearchParams): AuthorityFailure {
  const error = response.get('error') ?? 'no code'
  const number = /\bAADSTS(\d{4,9})\b/.exec(response.get('error_description') ?? '')?.[1]
  const facts = {
    host: 'The authority',
    error: isOAuthError(error) ? error : 'unknown',
    ...(number === undefined ? {} : { aadsts: Number(number) }),
  }
  if (number === undefined && /^(access_denied|permission_denied|consent_required)$/.test(facts.error)) {
    return new AuthorityFailure(
      {
        what: `The sign-in was declined (${facts.error}).`,
        why: 'The person cancelled it, or is not allowed to consent.',
        todo: 'Try again with an account that is allowed to consent, or ask an administrator.',
      },
      true,
      facts,
    )
  }
  return new AuthorityFailure(explainAuthorityResponse({ ...facts, status: 400 }), true, facts)
}

function random(): string {
  return randomBytes(32).toString('base64url')
}
