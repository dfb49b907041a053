import type { TokenFault } from '../../callers/jwt.ts'
import { isAppOnly } from '../../callers/token-user.ts'
import type { CallerSettings } from '../../config/settings/callers.ts'
import type { Explanation } from '../../explanations/explanation.ts'

/**
 * Why a person's token is nobody's, in the words of `check`.
 *
 * @param scope the one that the app must ask for
 * @param callers those whose user is the person of the token
 */
export function explainTokenFault(wrong: TokenFault, scope: string, callers: readonly CallerSettings[]): Explanation {
  const setting = (name: 'issuer' | 'audience' | 'algorithms'): string =>
    [...new Set(callers.flatMap(({ token }) => token![name]))].join(', ')
  const ask = `Let the app ask its sign-in library for the scope ${scope}, and write the access token of the answer to the file.`
  switch (wrong.fault) {
    case 'form':
      return {
        what: 'The file does not hold a JSON Web Token.',
        why: 'It holds something else, or not all of the token.',
        todo: 'Write the access token into it, three parts with dots between, with or without "Bearer" before it.',
      }
    case 'issuer':
      return {
        what: 'The token is of an issuer that no caller lists.',
        why: `Its claim iss is compared letter by letter with ${setting('issuer')}. Tokens of version 1.0 have another issuer.`,
        todo: `Set requestedAccessTokenVersion to 2 in the manifest of the gateway's app registration, or correct callers[].token.issuer.`,
      }
    case 'algorithm':
      return {
        what: 'The token is signed in a way that no caller lists.',
        why: `Listed: ${setting('algorithms')}.`,
        todo: 'Name the algorithm in callers[].token.algorithms, if the issuer really uses it.',
      }
    case 'audience':
      return {
        what: 'The token is for another app than the gateway.',
        why: `Its claim aud is none of ${setting('audience')}.`,
        todo: ask,
      }
    case 'signature':
      return {
        what: 'The signature of the token is not of its issuer.',
        why: 'The token was changed or forged, or is one that Microsoft made for another API, such as Graph.',
        todo: ask,
      }
    case 'expired':
      return { what: 'The token has expired.', why: 'Such tokens live about an hour.', todo: `Get a new one. ${ask}` }
    case 'not yet valid':
      return {
        what: 'The token is not valid yet.',
        why: "Its claim nbf is in the future by this machine's clock.",
        todo: 'Correct the clock of this machine (time synchronisation, for example chrony).',
      }
    case 'caller':
      return isAppOnly(wrong.claims)
        ? {
            what: 'The token is that of an application, without a user.',
            why: 'The app got it for itself (client credentials), not for a person who is signed in.',
            todo: `Let a person sign in. ${ask}`,
          }
        : {
            what: 'The token is genuine, but it does not belong to a listed caller.',
            why: `It does not meet callers[].token.${wrong.missing} of the caller that comes nearest.`,
            todo:
              wrong.missing === 'scopes'
                ? ask
                : `Correct callers[].token.${wrong.missing}, or get the token from the app that is listed.`,
          }
  }
}
