import type { INetworkModule, NetworkRequestOptions } from '@azure/msal-node'
import type { Dispatcher } from 'undici'

import { answerFailure, connectionFailure } from './authority-answer.ts'
import type { AuthorityAnswer } from './authority-answer.ts'
import type { AuthorityFailure } from './failure.ts'

/** The way from MSAL to the authority, and what came of it. */
export interface Network {
  readonly module: INetworkModule
  /** The last answer that was JSON; MSAL itself hands on only a part of it. */
  readonly answer: () => AuthorityAnswer | undefined
  /** What went wrong last; MSAL loses the cause. */
  readonly failure: () => AuthorityFailure | undefined
}

export interface NetworkOptions {
  /** The only way out of the process. */
  readonly dispatcher: Dispatcher
  readonly signal: AbortSignal
  /** Plain http is right for a managed identity's local end point, and for nothing else. */
  readonly plainHttp?: 'allowed'
}

/** No answer of an authority is larger. */
const LARGEST_ANSWER = 1024 * 1024

/**
 * Lets MSAL speak through `dispatcher`. Follows no redirect, because MSAL would repeat the credential to wherever it leads.
 */
export function network({ dispatcher, signal, plainHttp }: NetworkOptions): Network {
  let answer: AuthorityAnswer | undefined
  let failure: AuthorityFailure | undefined

  return {
    module: {
      sendGetRequestAsync: <T>(url: string, options?: NetworkRequestOptions) => send<T>('GET', url, options),
      sendPostRequestAsync: <T>(url: string, options?: NetworkRequestOptions) => send<T>('POST', url, options),
    },
    answer: () => answer,
    failure: () => failure,
  }

  async function send<T>(method: 'GET' | 'POST', address: string, options: NetworkRequestOptions = {}) {
    const url = new URL(address)
    answer = undefined
    failure = undefined
    try {
      if (url.protocol !== 'https:' && plainHttp === undefined) throw Object.assign(new Error('not https'), { code: 'NOT_HTTPS' })
      const { statusCode, headers, body } = await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { accept: 'application/json', ...options.headers },
        body: options.body ?? null,
        signal,
      })
      answer = { status: statusCode, headers: flat(headers), body: parse(await readWhole(body)), url }
    } catch (error) {
      failure = signal.aborted ? signal.reason as AuthorityFailure : connectionFailure(error, url)
      throw failure
    }
    failure = answerFailure(answer)
    if (failure !== undefined && answer.body === undefined) throw failure
    return { status: answer.status, headers: answer.headers, body: answer.body as T }
  }
}

async function readWhole(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LARGEST_ANSWER) throw Object.assign(new Error('answer too large'), { code: 'ANSWER_TOO_LARGE' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A JSON object, or `undefined`: proxies and gateways in between answer pages. */
function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
