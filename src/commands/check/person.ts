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
import { ask, askFor } from './ask.ts'
import { explainExchange } from './exchange-faults.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { Checking, Step } from './step.ts'
import { explainTokenFault } from './token-faults.ts'
import { noting } from './token.ts'

/** Whether people reach the target as themselves, or a token was given to try it with. */
export function servesPeople({ callers, tokenFile }: Checking): boolean {
  return tokenFile !== undefined || callers.filter(bringsPeople).length > 0
}

/** Where consent is granted; whether it was, only an exchange shows. */
export const consents: Step = {
  name: 'consent',
  run: async (checking) => {
    const needed = consentsOf(checking)
    if (needed.length === 0) return skipped('no caller brings the tokens of people')
    return {
      ...skipped(
        checking.tokenFile === undefined
          ? 'two permissions need it; --token-file FILE proves that it was given'
          : 'two permissions need it; the steps below prove that it was given',
      ),
      details: needed.flatMap(({ permission, url }) => [`${permission}:`, url]),
    }
  },
}

/** Whether the gateway takes the token in the file, as it takes one that a caller sends. */
export const personToken: Step = {
  name: 'person',
  run: async (checking) => {
    const { callers, tokenFile, agent } = checking
    if (tokenFile === undefined) return skipped('give the token of a signed-in person with --token-file FILE to try it')
    const people = callers.filter(bringsPeople)
    if (people.length === 0) throw new StepFailure(NO_SUCH_CALLER)
    const token = tokenIn(tokenFile)
    const verify = tokenVerifier(people.map(listedCaller), jsonReader(agent))
    const verdict = await verify(token).catch(refuse)
    if (verdict.holder === undefined) throw new StepFailure(explainTokenFault(verdict, scopeOf(checking), people))
    const { caller, expires } = verdict.holder
    // Only callers of this kind were asked for.
    const { onBehalfOf: session } = caller.user as SignedIn
    checking.person = { ...session, id: keyHash(token), assertion: token }
    const minutes = Math.max(0, Math.round((expires - Date.now()) / 60_000))
    return ok(`caller ${caller.name}, object id ${session.objectId}, lives ${minutes} min`)
  },
}

/** Whether Entra exchanges that token for one of Dynamics. */
export const exchange: Step = {
  name: 'exchange',
  run: async (checking) => {
    const { person } = checking
    if (person === undefined) return skipped('needs the token of a person')
    try {
      checking.authorization = await exchanged(checking, person)
      checking.asPerson = true
      return ok('Entra gave a token of Dynamics for this person')
    } catch (error) {
      const context = { scope: scopeOf(checking), consentUrl: consentsOf(checking)[0]!.url }
      throw new StepFailure(explainExchange(error as Error, context))
    }
  },
}

async function exchanged({ target, agent, env }: Checking, person: UserToken): Promise<string> {
  const { close, onBehalfOf } = connectCredential(target, { agent, log: noting([]), env })
  try {
    // A caller of this kind beside a credential that cannot exchange is an error of the settings.
    return await onBehalfOf!.tokensOf(person).authorization()
  } finally {
    close()
  }
}

/** Whether Dynamics runs requests with that token as the person. */
export const asPerson: Step = {
  name: 'as the person',
  run: async (checking) => {
    const { person, target } = checking
    if (person === undefined) return skipped('needs the token of a person')
    if (target.url.product !== 'dataverse') return skipped('this product has no WhoAmI')
    const { UserId: userId } = await askFor(checking, '/WhoAmI')
    const { status, body } = await ask(
      checking,
      `/systemusers(${String(userId)})?$select=fullname,azureactivedirectoryobjectid`,
    )
    if (status !== 200 || body === undefined) {
      return warning(`Dynamics runs as user ${String(userId)}, whose row the person may not read (${status})`)
    }
    if (String(body['azureactivedirectoryobjectid']).toLowerCase() !== person.objectId) {
      throw new StepFailure({
        what: 'Dynamics ran as another user than the person of the token.',
        why: `The row that WhoAmI names has another Entra object id than ${person.objectId}.`,
        todo: 'Check what is between the gateway and Dynamics, such as a proxy that adds a caller id or another token.',
      })
    }
    return ok(`Dynamics runs as “${String(body['fullname']).slice(0, 80)}”, the person of the token`)
  },
}

function consentsOf({ target, callers }: Checking) {
  return peopleConsents(target, callers, `http://localhost:${DEFAULT_REDIRECT_PORT}`, 'check')
}

/** The scope that the app asks for. */
function scopeOf({ target, callers }: Checking): string {
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
      why: 'The path is wrong, or you may not read it.',
      todo: 'Correct the path or its permissions.',
    })
  }
}

/** What kept a token from being verified that may be genuine. */
function refuse(error: Error): never {
  if (error instanceof UserNotAllowed) {
    throw new StepFailure({
      what: 'The token is genuine, but does not name a person.',
      why: error.message,
      todo: 'Write the access token of a signed-in person into the file: not an ID token, and not one of an application.',
    })
  }
  throw new StepFailure({
    what: "The keys of the token's issuer cannot be read.",
    why: String((error.cause as Error | undefined)?.message),
    todo: 'Compare callers[].token.issuer and keys with the metadata of the issuer, and let this machine reach it.',
  })
}

const NO_SUCH_CALLER = {
  what: 'No caller brings the tokens of people.',
  why: '--token-file tries what a caller with userFrom: on-behalf-of does, and the settings list none.',
  todo: 'List such a caller, as config/on-behalf-of.yaml does, or leave --token-file out.',
}
