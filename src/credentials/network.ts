import type { INetworkModule, NetworkRequestOptions } from '@azure/msal-node'

import { authorityRequest } from './authority-request.ts'
import type { ExchangeOptions } from './authority-request.ts'
import { responseFailure } from './authority-response.ts'
import type { AuthorityResponse } from './authority-response.ts'
import { asAuthorityFailure } from './failure.ts'
import type { AuthorityFailure } from './failure.ts'

/**
 * MSAL's connection to the authority, with the last response and failure.
 *
 * @until MSAL exposes the complete response and the cause of a failure
 */
export interface Network {
  readonly module: INetworkModule
  /** The last response; MSAL itself exposes only a part of it. */
  readonly response: () => AuthorityResponse | undefined
  /** The last failure; MSAL loses the cause. */
  readonly failure: () => AuthorityFailure | undefined
}

/** Lets MSAL send its requests through our dispatcher. */
export function network(options: ExchangeOptions): Network {
  let response: AuthorityResponse | undefined
  let failure: AuthorityFailure | undefined

  return {
    module: {
      sendGetRequestAsync: <T>(url: string, request?: NetworkRequestOptions) => send<T>('GET', url, request),
      sendPostRequestAsync: <T>(url: string, request?: NetworkRequestOptions) => send<T>('POST', url, request),
    },
    response: () => response,
    failure: () => failure,
  }

  async function send<T>(method: 'GET' | 'POST', url: string, { headers, body }: NetworkRequestOptions = {}) {
    try {
      response = await authorityRequest({ method, url: new URL(url), headers, body }, options)
    } catch (error) {
      failure = asAuthorityFailure(error)
      throw failure
    }
    failure = responseFailure(response)
    // MSAL interprets JSON errors itself, such as a device code that is still pending.
    if (failure !== undefined && response.body === undefined) throw failure
    return { status: response.status, headers: response.headers, body: response.body as T }
  }
}
