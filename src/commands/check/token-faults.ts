import type { TokenFault } from '../../callers/jwt.ts'
import { isAppOnly } from '../../callers/token-user.ts'
import type { CallerSettings } from '../../config/settings/callers.ts'
import type { Explanation } from '../../explanations/explanation.ts'

/**
 * Explains, for `check`, why no caller matches the token of a person.
 *
 * @param scope the scope that the app must request
 * @param callers the callers that send tokens of people
 */
export function explainTokenFault(wrong: TokenFault, scope: string, callers: readonly CallerSettings[]): Explanation {
  const setting = (name: 'issuer' | 'audience' | 'algorithms'): string =>
    [...new Set(callers.flatMap(({ token }) => token![name]))].join(', ')
  const ask = `Let the app request the scope ${scope} from its sign-in library, and write the access token of the response to the file.`
  switch (wrong.fault) {
    case 'form':
      return {
        what: 'The file does not contain a JSON Web Token.',
        why: 'It contains something else, or only a part of the token.',
        todo: 'Write the access token to it: three parts separated by dots, with or without "Bearer" before them.',
      }
    case 'issuer':
      return {
        what: 'The token is from an issuer that no caller lists.',
        why: `Its claim iss must be exactly ${setting('issuer')}. Tokens of version 1.0 have another issuer.`,
        todo: `Set requestedAccessTokenVersion to 2 in the manifest of the gateway's app registration, or correct callers[].token.issuer.`,
      }
    case 'algorithm':
      return {
        what: 'The token is signed with an algorithm that no caller lists.',
        why: `Listed: ${setting('algorithms')}.`,
        todo: 'Add the algorithm to callers[].token.algorithms, if the issuer really uses it.',
      }
    case 'audience':
      return {
        what: 'The token is for another app, not for the gateway.',
        why: `Its claim aud is not one of ${setting('audience')}.`,
        todo: ask,
      }
    case 'signature':
      return {
        what: 'The signature of the token is not from its issuer.',
        why: 'The token was changed or forged, or Microsoft issued it for another API, such as Graph.',
        todo: ask,
      }
    case 'expired':
      return {
        what: 'The token has expired.',
        why: 'Such tokens are valid for about an hour.',
        todo: `Get a new one. ${ask}`,
      }
    case 'not yet valid':
      return {
        what: 'The token is not valid yet.',
        why: "Its claim nbf is in the future by this machine's clock.",
        todo: 'Correct the clock of this machine (time synchronisation, for example chrony).',
      }
    case 'caller':
      return isAppOnly(wrong.claims)
        ? {
            what: 'The token belongs to an application, not to a person.',
            why: 'The app acquired it for itself (client credentials), not for a person who is signed in.',
            todo: `Sign in as a person. ${ask}`,
          }
        : {
            what: 'The token is genuine, but it does not belong to a listed caller.',
            why: `It does not match callers[].token.${wrong.missing} of the most similar caller.`,
            todo:
              wrong.missing === 'scopes'
                ? ask
                : `Correct callers[].token.${wrong.missing}, or get the token from the listed app.`,
          }
  }
}
