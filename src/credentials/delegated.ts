import type { Secret } from '../config/secret.ts'
import { AADSTS } from '../explanations/aadsts.ts'
import type { Explanation } from '../explanations/explanation.ts'
import type { Logger } from '../logging/logger.ts'
import type { AppRegistration } from './app-registration.ts'
import { registrationOf } from './credential-kind.ts'
import type { CredentialKind } from './credential-kind.ts'
import type { FetchToken } from './credential.ts'
import { endpointsOf, isMicrosofts } from './endpoints.ts'
import { AuthorityFailure } from './failure.ts'
import { redeem } from './token-endpoint.ts'
import type { PersonsToken } from './token-endpoint.ts'
import { tokenStore } from './token-store.ts'
import type { TokenStore, StoredSignIn } from './token-store.ts'

/** A person who signed in with `dynamics-gateway login`. */
export const delegatedKind: CredentialKind<'delegated'> = {
  connect: (credential, context) => {
    const { secret } = credential
    const app = registrationOf(credential, context)
    const store = tokenStore(app, context.env)
    return { ...delegated({ app, secret, store, log: context.log }), files: [store.file, secret?.file] }
  },
  consent: 'Consent is needed for people to sign in: each for themselves at `login`, or an administrator once for all.',
  signInSecret: ({ secret }) => secret?.reveal(),
}

interface Delegated {
  readonly app: AppRegistration
  /** The client secret of a confidential registration. */
  readonly secret: Secret | undefined
  readonly store: TokenStore
  readonly log: Logger
}

/** The scopes of a person's token: the environment, and a refresh token. */
export function delegatedScope({ scope }: Pick<AppRegistration, 'scope'>): string {
  return `${scope} offline_access openid profile`
}

/**
 * Renews a person's token with the stored refresh token, and stores the new refresh token.
 */
function delegated({ app, secret, store, log }: Delegated): {
  readonly fetch: FetchToken
  readonly isOwnChange: () => boolean
} {
  let seen: string | undefined
  return {
    // A refresh token may be single-use, so targets that share a sign-in renew one after another.
    fetch: ({ claims, signal }) =>
      inTurn(store.file, async () => {
        const signIn = read()
        if (signIn === undefined) throw new AuthorityFailure(NOBODY, true)
        seen = signIn.id
        const token = await renew(signIn.refreshToken, claims, { dispatcher: app.dispatcher, signal })
        if (token.refreshToken !== undefined) keep({ ...signIn, refreshToken: token.refreshToken })
        return token
      }),
    isOwnChange: () => seen !== undefined && read()?.id === seen,
  }

  function read(): StoredSignIn | undefined {
    try {
      return store.read()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      log.warn({ code, file: store.file }, 'the stored sign-in cannot be read')
      return undefined
    }
  }

  async function renew(
    refreshToken: string,
    claims: string | undefined,
    way: { readonly dispatcher: AppRegistration['dispatcher']; readonly signal: AbortSignal },
  ): Promise<PersonsToken> {
    try {
      const { token } = await endpointsOf(app, way)
      return await redeem(
        token,
        {
          grant_type: 'refresh_token',
          client_id: app.clientId,
          client_secret: secret?.reveal(),
          refresh_token: refreshToken,
          scope: renewalScope(app),
          claims,
        },
        way,
      )
    } catch (error) {
      throw signInAgain(error)
    }
  }

  function keep(signIn: StoredSignIn): void {
    try {
      store.write(signIn)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      log.warn(
        { code, file: store.file },
        'the renewed sign-in cannot be stored, so `dynamics-gateway login` will be needed again',
      )
    }
  }
}

/** The last renewal in progress for each file. */
const renewals = new Map<string, Promise<unknown>>()

async function inTurn<T>(file: string, task: () => Promise<T>): Promise<T> {
  const before = renewals.get(file)
  const own = Promise.resolve(before)
    .catch(() => undefined)
    .then(task)
  renewals.set(file, own)
  try {
    return await own
  } finally {
    if (renewals.get(file) === own) renewals.delete(file)
  }
}

/**
 * Entra issues a new refresh token when `offline_access` is requested. Other authorities refuse scopes that they did
 * not grant, which often include it.
 */
function renewalScope(app: AppRegistration): string {
  return isMicrosofts(app.authorityHost) ? delegatedScope(app) : app.scope
}

const NOBODY: Explanation = {
  what: 'Nobody has signed in.',
  why: 'CREDENTIAL=delegated runs requests as a person, who signs in once.',
  todo: 'Run `dynamics-gateway login`.',
}

/** The fix is to sign in again, unless Microsoft's error number explains more. */
function signInAgain(error: unknown): unknown {
  if (!(error instanceof AuthorityFailure) || !error.refused) return error
  const { error: code = '', aadsts } = error.facts
  const ended = /^(invalid_grant|interaction_required|login_required)$/.test(code)
  if (!ended || (aadsts !== undefined && AADSTS[aadsts] !== undefined)) return error
  return new AuthorityFailure(
    {
      ...error.explanation,
      why: 'The stored sign-in is no longer valid.',
      todo: 'Run `dynamics-gateway login` again.',
    },
    true,
    error.facts,
  )
}
