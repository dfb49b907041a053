import { readFileSync } from 'node:fs'

import { keyHash } from '../../callers/api-key.ts'
import { listedCaller } from '../../callers/authenticate.ts'
import { tokenVerifier } from '../../callers/jwt.ts'
import { bringsPeople } from '../../config/settings/callers.ts'
import { connectCredential } from '../../credentials/connect-credential.ts'
import type { UserToken } from '../../credentials/user-tokens.ts'
import { UserNotAllowed } from '../../errors.ts'
import type { SignedIn } from '../../identity/caller.ts'
import { jsonReader } from '../../outbound/read-json.ts'
import { DEFAULT_REDIRECT_PORT } from '../login/redirect.ts'
import { ownScopeOf, peopleConsents } from '../people-consents.ts'
import { get, getJson } from './ask.ts'
import { explainExchange } from './exchange-faults.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { CheckContext, Step } from './step.ts'
import { explainTokenFault } from './token-faults.ts'
import { collectNotes } from './token.ts'

/** Whether callers send tokens of people, or a token was given to try it with. */
export function servesPeople({ callers, tokenFile }: CheckContext): boolean {
  return tokenFile !== undefined || callers.filter(bringsPeople).length > 0
}

/** Where an administrator grants consent. Only an exchange shows whether consent was granted. */
export const consents: Step = {
  name: 'consent',
  run: async (context) => {
    const needed = consentsOf(context)
    if (needed.length === 0) return skipped('no caller sends tokens of people')
    return {
      ...skipped(
        context.tokenFile === undefined
          ? 'two permissions need it; --token-file FILE shows whether it was granted'
          : 'two permissions need it; the steps below show whether it was granted',
      ),
      details: needed.flatMap(({ permission, url }) => [`${permission}:`, url]),
    }
  },
}

/** Whether the gateway accepts the token in the file, as it would from a caller. */
export const personToken: Step = {
  name: 'person',
  run: async (context) => {
    const { callers, tokenFile, agent } = context
    if (tokenFile === undefined)
      return skipped('to try it, pass the token of a signed-in person with --token-file FILE')
    const people = callers.filter(bringsPeople)
    if (people.length === 0) throw new StepFailure(NO_SUCH_CALLER)
    const token = tokenIn(tokenFile)
    const verify = tokenVerifier(people.map(listedCaller), jsonReader(agent))
    const verdict = await verify(token).catch(throwVerificationError)
    if (verdict.holder === undefined) throw new StepFailure(explainTokenFault(verdict, scopeOf(context), people))
    const { caller, expires } = verdict.holder
    // The verifier knows only callers of this kind.
    const { onBehalfOf: session } = caller.user as SignedIn
    context.person = { ...session, id: keyHash(token), assertion: token }
    const minutes = Math.max(0, Math.round((expires - Date.now()) / 60_000))
    return ok(`caller ${caller.name}, object id ${session.objectId}, valid for ${minutes} min`)
  },
}

/** Whether Entra exchanges that token for a token for Dynamics. */
export const exchange: Step = {
  name: 'exchange',
  run: async (context) => {
    const { person } = context
    if (person === undefined) return skipped('needs the token of a person')
    try {
      context.authorization = await exchanged(context, person)
      context.asPerson = true
      return ok('Entra issued a token for Dynamics for this person')
    } catch (error) {
      const names = { scope: scopeOf(context), consentUrl: consentsOf(context)[0]!.url }
      throw new StepFailure(explainExchange(error as Error, names))
    }
  },
}

async function exchanged({ target, agent, env }: CheckContext, person: UserToken): Promise<string> {
  const { close, onBehalfOf } = connectCredential(target, { agent, log: collectNotes([]), env })
  try {
    // The settings have an error if there is a caller of this kind and the credential cannot exchange tokens.
    return await onBehalfOf!.tokensOf(person).authorization()
  } finally {
    close()
  }
}

/** Whether Dynamics runs requests with that token as the person. */
export const asPerson: Step = {
  name: 'as the person',
  run: async (context) => {
    const { person, target } = context
    if (person === undefined) return skipped('needs the token of a person')
    if (target.url.product !== 'dataverse') return skipped('this product has no WhoAmI')
    const { UserId: userId } = await getJson(context, '/WhoAmI')
    const { status, body } = await get(
      context,
      `/systemusers(${String(userId)})?$select=fullname,azureactivedirectoryobjectid`,
    )
    if (status !== 200 || body === undefined) {
      return warning(
        `Dynamics runs as user ${String(userId)}; the person may not read the row of that user (${status})`,
      )
    }
    if (String(body['azureactivedirectoryobjectid']).toLowerCase() !== person.objectId) {
      throw new StepFailure({
        what: 'Dynamics did not run as the person of the token.',
        why: `The user that WhoAmI returned does not have the Entra object id ${person.objectId}.`,
        todo: 'Check for a proxy between the gateway and Dynamics that adds a caller id or another token.',
      })
    }
    return ok(`Dynamics runs as “${String(body['fullname']).slice(0, 80)}”, the person of the token`)
  },
}

function consentsOf({ target, callers }: CheckContext) {
  return peopleConsents(target, callers, `http://localhost:${DEFAULT_REDIRECT_PORT}`, 'check')
}

/** The scope that the app must request. */
function scopeOf({ target, callers }: CheckContext): string {
  return ownScopeOf(target.credential.clientId!, callers.filter(bringsPeople)[0]?.token)
}

/** The token in `file`, with or without `Bearer` before it. */
function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .replace(/^(?:Authorization: *)?Bearer +/i, '')
  } catch (error) {
    throw new StepFailure({
      what: `The file of --token-file cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      why: 'The path is wrong, or you are not allowed to read the file.',
      todo: 'Correct the path or its permissions.',
    })
  }
}

/** Explains why a token could not be verified, although it may be genuine. */
function throwVerificationError(error: Error): never {
  if (error instanceof UserNotAllowed) {
    throw new StepFailure({
      what: 'The token is genuine, but does not name a person.',
      why: error.message,
      todo: 'Write the access token of a signed-in person to the file, not an ID token or the token of an application.',
    })
  }
  throw new StepFailure({
    what: "The keys of the token's issuer cannot be read.",
    why: String((error.cause as Error | undefined)?.message),
    todo: 'Compare callers[].token.issuer and keys with the metadata of the issuer, and allow this machine to connect to it.',
  })
}

const NO_SUCH_CALLER = {
  what: 'No caller sends tokens of people.',
  why: '--token-file acts as a caller with userFrom: on-behalf-of, and the settings have no such caller.',
  todo: 'Add such a caller, as in config/on-behalf-of.yaml, or leave --token-file out.',
}
