import type { INetworkModule, NetworkRequestOptions } from '@azure/msal-node'

import { authorityRequest } from './authority-request.ts'
import type { ExchangeOptions } from './authority-request.ts'
import { answerFailure } from './authority-response.ts'
import type { AuthorityAnswer } from './authority-response.ts'
import { asAuthorityFailure } from './failure.ts'
import type { AuthorityFailure } from './failure.ts'

/**
 * The way from MSAL to the authority, and what came of it.
 *
 * @until MSAL hands on the complete response and the cause of a failure
 */
export interface Network {
  readonly module: INetworkModule
  /** The last answer; MSAL itself hands on only a part of it. */
  readonly answer: () => AuthorityAnswer | undefined
  /** What went wrong last; MSAL loses the cause. */
  readonly failure: () => AuthorityFailure | undefined
}

/** Lets MSAL speak through a dispatcher of ours. */
export function network(options: ExchangeOptions): Network {
  let answer: AuthorityAnswer | undefined
  let failure: AuthorityFailure | undefined

  return {
    module: {
      sendGetRequestAsync: <T>(url: string, request?: NetworkRequestOptions) => send<T>('GET', url, request),
      sendPostRequestAsync: <T>(url: string, request?: NetworkRequestOptions) => send<T>('POST', url, request),
    },
    answer: () => answer,
    failure: () => failure,
  }

  async function send<T>(method: 'GET' | 'POST', url: string, { headers, body }: NetworkRequestOptions = {}) {
    try {
      answer = await authorityRequest({ method, url: new URL(url), headers, body }, options)
    } catch (error) {
      failure = asAuthorityFailure(error)
      throw failure
    }
    failure = answerFailure(answer)
    // What is JSON says more to MSAL, such as that a device code is still pending.
    if (failure !== undefined && answer.body === undefined) throw failure
    return { status: answer.status, headers: answer.headers, body: answer.body as T }
  }
}
