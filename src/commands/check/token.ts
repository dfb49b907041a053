import { ONLINE_HOST } from '../../config/environment-url.ts'
import type { Target } from '../../config/schema.ts'
import { connectCredential } from '../../credentials/connect-credential.ts'
import { factsOf, scopeOf } from '../../credentials/credential-facts.ts'
import { asAuthorityFailure } from '../../credentials/failure.ts'
import type { AuthorityFailure } from '../../credentials/failure.ts'
import { kindOf } from '../../credentials/kinds.ts'
import { claimsOf } from '../../credentials/token-claims.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import type { Logger } from '../../logging/logger.ts'
import { ok, StepFailure, warning } from './step.ts'
import type { Step } from './step.ts'

/** The credential in the settings. */
export const settings: Step = {
  name: 'settings',
  run: async ({ target }) => {
    const { kind, tenant, clientId, authority } = factsOf(target)
    return ok(
      [
        kind,
        ...(clientId === undefined ? [] : [`client id ${clientId}`]),
        ...(tenant === undefined ? [] : [`tenant ${tenant}`]),
        ...(authority === undefined ? [] : [authority]),
      ].join(', '),
    )
  },
}

/** Whether the authority issues an access token, and its content. */
export const token: Step = {
  name: 'token',
  run: async (checking) => {
    const { target, agent, env } = checking
    const proof = kindOf(target.credential).describeProof?.(target.credential)
    const notes = proof === undefined ? [] : [proof]
    const credential = connectCredential(target, { agent, log: noting(notes), env })
    try {
      checking.authorization = await credential.authorization()
    } catch (error) {
      const { cause } = error as Error
      throw new StepFailure(withNotes(withIds(asAuthorityFailure(cause)), notes))
    } finally {
      credential.close()
    }
    const warned = notes.some((note) => note.startsWith('the certificate'))
    const life = `lives ${Math.round(credential.state().validFor / 60_000)} min`
    const claims = claimsOf(checking.authorization)
    const says = [...describe(claims), life, ...notes].join(', ')
    if (!isFor(claims['aud'], target)) throw new StepFailure(notForIt(String(claims['aud']), target))
    return warned ? warning(says) : ok(says)
  },
}

/** Entra's own ids of the attempt: Microsoft's support asks for them. */
function withIds({ explanation, facts: { traceId, correlationId } }: AuthorityFailure): Explanation {
  const ids = [
    ...(traceId === undefined ? [] : [`trace ${traceId}`]),
    ...(correlationId === undefined ? [] : [`correlation ${correlationId}`]),
  ]
  return ids.length === 0
    ? explanation
    : { ...explanation, why: `${explanation.why} For Microsoft's support: ${ids.join(', ')}.` }
}

/** Adds the values that were used, so that they can be compared with the registration. */
function withNotes(explanation: Explanation, notes: readonly string[]): Explanation {
  return notes.length === 0
    ? explanation
    : { ...explanation, why: `${explanation.why} Used here: ${notes.join('; ')}.` }
}

function describe({ aud, tid, appid, azp, roles, scp }: Readonly<Record<string, unknown>>): string[] {
  const shown = (label: string, value: unknown): string[] =>
    typeof value === 'string' || (Array.isArray(value) && value.length > 0)
      ? [`${label} ${String(value).slice(0, 200)}`]
      : []
  return [
    ...shown('for', aud),
    ...shown('tenant', tid),
    ...shown('application', appid ?? azp),
    ...shown('roles', roles),
    ...shown('rights', scp),
  ]
}

/**
 * Whether the audience is the environment, with or without a slash at its end; Dynamics' own id stands for all of
 * them. What is not Microsoft's host may be a way to an environment of another name, which only DYNAMICS_SCOPE tells.
 */
function isFor(audience: unknown, target: Target): boolean {
  if (typeof audience !== 'string' || !audience.startsWith('https://')) return true
  const { origin, scope } = target.url
  const expected = ONLINE_HOST.test(new URL(origin).hostname) ? scope : scopeOf(target)
  const bare = (text: string): string => text.replace(/\/+$/, '').replace('.api.', '.').toLowerCase()
  return bare(audience) === bare(expected.replace(/\/\.default$/, ''))
}

function notForIt(audience: string, { url, scope }: Target): Explanation {
  return {
    what: `The token is for ${audience.slice(0, 200)}, not for ${url.origin}.`,
    why: 'Dynamics refuses tokens that were issued for another audience.',
    todo:
      scope === undefined
        ? 'Compare DYNAMICS_URL with the Environment URL. Where it is the address of a proxy before the environment, set ' +
          "DYNAMICS_SCOPE to the environment's own URL and /.default."
        : `Compare DYNAMICS_SCOPE with DYNAMICS_URL, or remove it: then ${url.scope} is asked for.`,
  }
}

/** Collects warnings, such as that of a certificate that expires soon. */
export function noting(notes: string[]): Logger {
  const nothing = (): void => undefined
  return {
    debug: nothing,
    error: nothing,
    info: (facts, sentence) => {
      const { thumbprint, ends } = facts as { thumbprint?: string; ends?: string }
      if (sentence === 'certificate') notes.push(`certificate ${thumbprint} until ${ends?.slice(0, 10)}`)
    },
    warn: (_, sentence) => {
      if (sentence.startsWith('the certificate')) notes.push(sentence)
    },
  }
}
