import type { Log } from '../../credentials/credential.ts'
import { AuthorityFailure } from '../../credentials/failure.ts'
import { connectCredential, factsOf, scopeOf } from '../../credentials/select.ts'
import { ok, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** What the settings say of the credential. */
export const settings: Step = {
  name: 'settings',
  run: async ({ target }) => {
    const { kind, tenant, clientId, authority } = factsOf(target)
    return ok([kind, ...(clientId === undefined ? [] : [`client id ${clientId}`]), ...(tenant === undefined ? [] : [`tenant ${tenant}`]),
      ...(authority === undefined ? [] : [authority])].join(', '))
  },
}

/** Whether the authority gives an access token, and what stands in it. */
export const token: Step = {
  name: 'token',
  run: async (checking) => {
    const { target, agent, env } = checking
    const notes: string[] = []
    const credential = connectCredential(target, { agent, log: noting(notes), env })
    try {
      checking.authorization = await credential.authorization()
    } catch (error) {
      const { cause } = error as Error
      throw cause instanceof AuthorityFailure ? new StepFailure(cause.explanation) : error
    } finally {
      credential.close()
    }
    const life = `lives ${Math.round(credential.state().validFor / 60_000)} min`
    const claims = claimsOf(checking.authorization)
    const says = [...describe(claims), life, ...notes].join(', ')
    return isFor(claims['aud'], scopeOf(target)) && notes.length === 0 ? ok(says) : warning(says)
  },
}

/** The claims, where the token is a JWT; they are for showing, never for deciding. */
function claimsOf(authorization: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString())
    return typeof claims === 'object' && claims !== null ? claims as Record<string, unknown> : {}
  } catch {
    return {}
  }
}

function describe({ aud, tid, appid, azp, roles, scp }: Readonly<Record<string, unknown>>): string[] {
  const shown = (label: string, value: unknown): string[] =>
    typeof value === 'string' || (Array.isArray(value) && value.length > 0) ? [`${label} ${String(value).slice(0, 200)}`] : []
  return [...shown('for', aud), ...shown('tenant', tid), ...shown('application', appid ?? azp), ...shown('roles', roles), ...shown('rights', scp)]
}

/** Whether the audience is the environment, with or without a slash at its end; Dynamics' own id stands for all of them. */
function isFor(audience: unknown, scope: string): boolean {
  if (typeof audience !== 'string' || !audience.startsWith('https://')) return true
  const bare = (text: string): string => text.replace(/\/+$/, '').replace('.api.', '.').toLowerCase()
  return bare(audience) === bare(scope.replace(/\/\.default$/, ''))
}

/** Takes warnings up, such as that of a certificate that ends soon. */
function noting(notes: string[]): Log {
  const nothing = (): void => undefined
  return {
    debug: nothing,
    error: nothing,
    info: (facts, sentence) => {
      const { thumbprint, ends } = facts as { thumbprint?: string, ends?: string }
      if (sentence === 'certificate') notes.push(`certificate ${thumbprint} until ${ends?.slice(0, 10)}`)
    },
    warn: (_, sentence) => {
      if (sentence.startsWith('the certificate')) notes.push(sentence)
    },
  }
}
