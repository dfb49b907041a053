import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'

import type { Test } from 'tap'
import { Agent } from 'undici'

export interface AuthorityRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly form: URLSearchParams
}

/** Responds as Entra does: with a different token each time. */
export function issuesToken(
  expiresIn: number | string = 3600,
  fields: object = {},
): (received: AuthorityRequest, response: ServerResponse) => void {
  return (_, response) =>
    json(response, 200, { token_type: 'Bearer', expires_in: expiresIn, access_token: `token-${++count}`, ...fields })
}
let count = 0

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Refuses as Entra does, with `number` after AADSTS. */
export function refusesWith(
  status: number,
  error: string,
  number: number,
): (received: AuthorityRequest, response: ServerResponse) => void {
  return (_, response) =>
    json(response, status, {
      error,
      error_description: `AADSTS${number}: text that quotes s3cret. Trace ID: 1`,
      error_codes: [number],
      trace_id: '00000000-0000-0000-0000-000000000001',
      correlation_id: '00000000-0000-0000-0000-000000000002',
    })
}

/** An authority on a real socket. `dispatcher` connects every host to it, and `respond` is its current behaviour. */
export async function startAuthority(t: Test) {
  const authority = {
    respond: issuesToken() as (received: AuthorityRequest, response: ServerResponse) => void,
    requests: [] as AuthorityRequest[],
  }
  const server = createServer((request, response) => {
    let body = ''
    request
      .setEncoding('utf8')
      .on('data', (chunk: string) => {
        body += chunk
      })
      .on('end', () => {
        const received = {
          method: request.method!,
          url: request.url!,
          headers: request.headers,
          form: new URLSearchParams(body),
        }
        authority.requests.push(received)
        authority.respond(received, response)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const dispatcher = new Agent({
    connect: (_, callback) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => callback(null, socket)).once('error', (error) => callback(error, null))
    },
  })
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await dispatcher.destroy()
  })
  return Object.assign(authority, { dispatcher, server, port })
}

/** A log that can be read. */
export function memoryLog() {
  const lines: { level: string; facts: object; sentence: string }[] = []
  const level =
    (level: string) =>
    (facts: object, sentence: string): void => {
      lines.push({ level, facts, sentence })
    }
  return { lines, debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }
}
