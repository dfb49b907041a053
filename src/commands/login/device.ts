import { setTimeout as pause } from 'node:timers/promises'

import { responseFailure } from '../../credentials/authority-response.ts'
import { delegatedScope } from '../../credentials/delegated.ts'
import { asAuthorityFailure, AuthorityFailure } from '../../credentials/failure.ts'
import { post, redeem } from '../../credentials/token-endpoint.ts'
import type { PersonsToken } from '../../credentials/token-endpoint.ts'
import type { SignInContext } from './sign-in-context.ts'

/**
 * Signs a person in with a browser on any machine: device authorization grant.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8628
 * @throws AuthorityFailure
 */
export async function signInWithDevice({
  app,
  endpoints,
  secret,
  signal,
  print,
}: SignInContext): Promise<PersonsToken> {
  const transport = { dispatcher: app.dispatcher, signal }
  const response = await post(
    endpoints.device,
    { client_id: app.clientId, client_secret: secret, scope: delegatedScope(app) },
    transport,
  )
  const failure = responseFailure(response)
  if (failure !== undefined) throw failure
  const {
    device_code: deviceCode,
    user_code: userCode,
    verification_uri: page,
    verification_uri_complete: complete,
    interval,
  } = response.body!
  if (typeof deviceCode !== 'string' || typeof userCode !== 'string' || typeof page !== 'string') {
    throw new AuthorityFailure(
      {
        what: 'The authority issued no device code.',
        why: 'It does not support the device authorization grant.',
        todo: 'Run `dynamics-gateway login` without --device, on a machine with a browser.',
      },
      true,
    )
  }
  print(
    `Open ${page} in a browser on any machine, and enter the code ${userCode}\n` +
      (typeof complete === 'string' ? `(or open ${complete})\n` : '') +
      'Waiting …\n',
  )

  let seconds = typeof interval === 'number' && interval >= 0 ? interval : 5
  for (;;) {
    await pause(seconds * 1000, undefined, { signal }).catch(() => {
      throw signal.reason
    })
    try {
      return await redeem(
        endpoints.token,
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
          client_id: app.clientId,
          client_secret: secret,
          device_code: deviceCode,
        },
        transport,
      )
    } catch (error) {
      const code = asAuthorityFailure(error).facts.error
      if (code === 'slow_down') seconds += 5
      else if (code === 'expired_token') throw codeExpired(error)
      else if (code !== 'authorization_pending') throw error
    }
  }
}

function codeExpired(cause: unknown): AuthorityFailure {
  return new AuthorityFailure(
    {
      what: 'The code has expired.',
      why: 'Nobody entered it in time.',
      todo: 'Run `dynamics-gateway login --device` again.',
    },
    true,
    {},
    cause,
  )
}
