import { isLoopbackHost } from '../../odata/loopback.ts'
import { group, SettingError } from '../setting.ts'
import { list, matching, optional, parsed } from '../values.ts'

/** The tokens that a caller is known by. */
export const callerToken = {
  ...group(
    'The tokens of Entra, or of another OIDC provider, that identify this caller. ' +
      'At least one of roles, scopes, clientIds and subjects is required.',
    {
      issuer: parsed(
        {
          description: 'The issuer of the tokens, exactly as in their claim `iss`.',
          required: true,
          hint: 'a URL such as https://login.microsoftonline.com/<tenant id>/v2.0',
        },
        secureUrl,
      ),
      audience: list(
        {
          description: 'The audience of the tokens: their claim `aud` holds one of these.',
          hint: 'an application id or its URI, such as api://gateway',
        },
        (text) => text,
      ),
      keys: optional(
        {
          description:
            "The address of the issuer's public keys (JWKS). Default: the one in its `/.well-known/openid-configuration`.",
          hint: 'a URL',
        },
        secureUrl,
      ),
      algorithms: list(
        {
          description: 'The accepted signature algorithms.',
          hint: 'RS256, PS256, ES256, EdDSA or their longer forms',
          fallback: ['RS256'],
        },
        matching(
          /^((RS|PS|ES)(256|384|512)|EdDSA)$/,
          'holds an algorithm that is not accepted: write RS256, PS256, ES256, EdDSA or their longer forms.',
        ),
      ),
      roles: list(
        { description: 'One of these roles is in the token (`roles`).', hint: 'names of app roles' },
        (text) => text,
      ),
      scopes: list(
        {
          description: 'One of these scopes is in the token (`scp` or `scope`).',
          hint: 'names of scopes',
        },
        (text) => text,
      ),
      clientIds: list(
        {
          description: 'The token was given to one of these apps (`azp`, `appid` or `client_id`).',
          hint: 'application ids',
        },
        (text) => text,
      ),
      subjects: list({ description: 'The token is about one of these (`sub`).', hint: 'subjects' }, (text) => text),
    },
  ),
  optional: true as const,
}

/** `https:` anywhere, `http:` on this machine only. */
function secureUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (!secure) {
    throw new SettingError(
      'is not an https:// address: write a URL such as https://login.microsoftonline.com/<tenant id>/v2.0.',
    )
  }
  return text
}
