import { quotation } from '../../explanations/explanation.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { AuthorityFailure } from '../failure.ts'
import type { Endpoint } from './endpoint.ts'

/** Why no token was issued: Entra's number explains most, then the endpoint's error. */
export function explainRefusal({ facts, explanation }: AuthorityFailure, said: string): Explanation {
  if (facts.aadsts !== undefined) return explanation
  if (UNKNOWN_IDENTITY.test(said)) return NO_IDENTITY
  if (AMBIGUOUS_IDENTITY.test(said)) return SEVERAL_IDENTITIES
  if (said === '' && facts.error === undefined) return explanation
  const says = quotation(said)
  return {
    what:
      `The managed identity's endpoint responded with ${facts.status}` +
      `${facts.error === undefined ? '' : ` (${facts.error})`}.`,
    why: 'The gateway has no explanation for this response.',
    todo:
      'Compare DYNAMICS_URL and AZURE_CLIENT_ID with the environment and with Azure portal → the virtual machine, ' +
      'app or container app → Identity.',
    ...(says === undefined ? {} : { says }),
  }
}

/** The errors of virtual machines, App Service and Azure Arc for an unknown identity. */
const UNKNOWN_IDENTITY = new RegExp(
  [
    /\bidentity (?:was )?not found\b/,
    /\bno\b.{0,40}\bmanaged identity (?:was )?found\b/,
    /\bidentity\b.{0,60}\bnot (?:been )?assigned\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
)

/** The error of a virtual machine with several identities when no client id was sent. */
const AMBIGUOUS_IDENTITY = /\bmultiple user.assigned identities\b/i

/** Also for a token of another identity than the configured one. */
export const NO_IDENTITY: Explanation = {
  what: 'There is no such managed identity here.',
  why: 'The machine or app has no managed identity, or not the one with the id in AZURE_CLIENT_ID.',
  todo:
    'Switch it on at Azure portal → the virtual machine, app or container app → Identity; ' +
    'for a user-assigned one set AZURE_CLIENT_ID to its client id, else remove AZURE_CLIENT_ID.',
}

const SEVERAL_IDENTITIES: Explanation = {
  what: 'There are several managed identities here, and none was chosen.',
  why: 'A machine with several user-assigned identities issues tokens only with a client id.',
  todo: 'Set AZURE_CLIENT_ID to the client id of the one to use (Azure portal → the virtual machine → Identity).',
}

/**
 * No response at all: usually the machine is outside Azure, and the variables of a credential were forgotten.
 */
export function noResponse(error: unknown, { platform }: Endpoint): unknown {
  if (!(error instanceof AuthorityFailure) || error.refused || error.facts.status !== undefined) return error
  return new AuthorityFailure(
    {
      what: `The managed identity's endpoint (${platform}) did not answer (${error.facts.code ?? 'no connection'}).`,
      why: 'A managed identity exists only inside Azure. The gateway uses one if no other credential is set.',
      todo:
        'If this does not run in Azure, set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, ' +
        'or another credential.',
    },
    false,
    error.facts,
    error.cause,
  )
}
