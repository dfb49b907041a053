import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'

import { KNOWS_QUERY } from '../../src/server/caller-methods.ts'

/** The two ways to send a query in a body; on Node 20 only the one that its parser supports. */
export const METHODS_OF_QUERIES: readonly ('QUERY' | 'POST')[] = KNOWS_QUERY ? ['QUERY', 'POST'] : ['POST']

/** A response with its body. */
export interface QueryAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Sends `query` to `address` in a body: as QUERY, or as `POST …/$query`. */
export function sendQuery(
  method: 'QUERY' | 'POST',
  address: string,
  query: string | undefined,
  headers: Readonly<Record<string, string>> = { 'content-type': 'text/plain' },
): Promise<QueryAnswer> {
  const url = new URL(address)
  const path = url.pathname + (method === 'POST' ? '/$query' : '') + url.search
  return new Promise((resolve, reject) => {
    request({ host: url.hostname, port: url.port, method, path, headers, agent: false }, (response) => {
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (text += chunk))
        .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
        .on('error', reject)
    })
      .on('error', reject)
      .end(query)
  })
}
