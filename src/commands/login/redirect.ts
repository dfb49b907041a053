import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

export interface RedirectOptions {
  readonly port: number
  /** What the redirect must bring back; without it anybody could send a person's browser here. */
  readonly state: string
  /** Ends the wait. */
  readonly signal: AbortSignal
  /** What the person reads in the browser, once the redirect has come. */
  readonly page: (authorizationResponse: URLSearchParams) => string
}

/** A server on loopback that waits for a person's browser to come back. */
export interface Redirect {
  /** What the browser brought, once its `state` is right. Fails when the wait ends. */
  readonly response: Promise<URLSearchParams>
  readonly close: () => void
}

/** The default port of the redirect URI, which is registered with many app registrations. */
export const DEFAULT_REDIRECT_PORT = 33333

/** A sign-in is a few hundred bytes; no form that is larger is read. */
const MAX_FORM_BYTES = 64 * 1024

/**
 * Serves `http://localhost:<port>` until a browser is redirected there. `localhost` is one of two addresses, so both
 * are served where there are both.
 *
 * @throws the system's error when the port is taken
 */
export async function awaitRedirect({ port, state, signal, page }: RedirectOptions): Promise<Redirect> {
  const { promise: response, resolve, reject } = deferred<URLSearchParams>()
  const servers = [await listen(serve, port, '127.0.0.1')]
  const close = (): void => {
    for (const server of servers) {
      server.close()
      server.closeIdleConnections()
    }
  }
  try {
    servers.push(await listen(serve, port, '::1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      close()
      throw error
    }
    // No IPv6 on this machine.
  }
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  if (signal.aborted) reject(signal.reason as Error)
  // Whoever closes without waiting is not interested any more.
  response.catch(() => undefined)
  return { response, close }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    read(request)
      .then((parameters) => {
        if (parameters === undefined) return respond(response, 404, 'There is nothing here.')
        if (parameters.get('state') !== state) {
          return respond(
            response,
            400,
            'This does not belong to the sign-in that is waiting. Start again from the address in the terminal.',
          )
        }
        respond(response, 200, page(parameters))
        resolve(parameters)
      })
      .catch(() => respond(response, 400, 'This cannot be read.'))
  }
}

/** The parameters of a redirect, in the query or as a form; `undefined` for anything else, such as a favicon. */
async function read(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const url = new URL(request.url!, 'http://localhost')
  if (url.pathname !== '/') return undefined
  if (request.method === 'GET') return url.search === '' ? undefined : url.searchParams
  if (request.method !== 'POST') return undefined
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_FORM_BYTES) return undefined
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

function respond(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    connection: 'close',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'",
  })
  const text = sentence.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>dynamics-gateway</title><p>${text}</p></html>\n`,
  )
}

function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  port: number,
  host: string,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(handler)
    server.once('error', reject).listen({ port, host }, () => resolve(server))
  })
}

function deferred<T>() {
  let resolve!: (value: T) => void
  let reject!: (reason: Error) => void
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved
    reject = rejected
  })
  return { promise, resolve, reject }
}
