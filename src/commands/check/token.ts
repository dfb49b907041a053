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

/** Whether the authority issues an access token, and what the token contains. */
export const token: Step = {
  name: 'token',
  run: async (context) => {
    const { target, agent, env } = context
    const proof = kindOf(target.credential).describeProof?.(target.credential)
    const notes = proof === undefined ? [] : [proof]
    const credential = connectCredential(target, { agent, log: collectNotes(notes), env })
    try {
      context.authorization = await credential.authorization()
    } catch (error) {
      const { cause } = error as Error
      throw new StepFailure(addNotes(addIds(asAuthorityFailure(cause)), notes))
    } finally {
      credential.close()
    }
    const warned = notes.some((note) => note.startsWith('the certificate'))
    const life = `valid for ${Math.round(credential.state().validFor / 60_000)} min`
    const claims = claimsOf(context.authorization)
    const says = [...describe(claims), life, ...notes].join(', ')
    if (!isForTarget(claims['aud'], target)) throw new StepFailure(wrongAudience(String(claims['aud']), target))
    return warned ? warning(says) : ok(says)
  },
}

/** Adds Entra's ids of the attempt, which Microsoft's support asks for. */
function addIds({ explanation, facts: { traceId, correlationId } }: AuthorityFailure): Explanation {
  const ids = [
    ...(traceId === undefined ? [] : [`trace ${traceId}`]),
    ...(correlationId === undefined ? [] : [`correlation ${correlationId}`]),
  ]
  return ids.length === 0
    ? explanation
    : { ...explanation, why: `${explanation.why} For Microsoft's support: ${ids.join(', ')}.` }
}

/** Adds the values that were used, to compare them with the registration. */
function addNotes(explanation: Explanation, notes: readonly string[]): Explanation {
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
 * Whether the audience is the environment, with or without a slash at its end. Dynamics' application id is accepted for
 * all environments. A host that is not Microsoft's may be a proxy for an environment; DYNAMICS_SCOPE names that one.
 */
function isForTarget(audience: unknown, target: Target): boolean {
  if (typeof audience !== 'string' || !audience.startsWith('https://')) return true
  const { origin, scope } = target.url
  const expected = ONLINE_HOST.test(new URL(origin).hostname) ? scope : scopeOf(target)
  const bare = (text: string): string => text.replace(/\/+$/, '').replace('.api.', '.').toLowerCase()
  return bare(audience) === bare(expected.replace(/\/\.default$/, ''))
}

function wrongAudience(audience: string, { url, scope }: Target): Explanation {
  return {
    what: `The token is for ${audience.slice(0, 200)}, not for ${url.origin}.`,
    why: 'Dynamics refuses tokens that were issued for another audience.',
    todo:
      scope === undefined
        ? 'Compare DYNAMICS_URL with the Environment URL. If it is the URL of a proxy in front of the environment, set ' +
          "DYNAMICS_SCOPE to the environment's own URL and /.default."
        : `Compare DYNAMICS_SCOPE with DYNAMICS_URL, or remove it: then ${url.scope} is requested.`,
  }
}

/** A logger that collects notes on the certificate, such as a warning that it expires soon. */
export function collectNotes(notes: string[]): Logger {
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
