import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

export interface RedirectOptions {
  readonly port: number
  /** The value that the redirect must return: without it, any page could redirect a browser here. */
  readonly state: string
  /** Ends the wait. */
  readonly signal: AbortSignal
  /** The text that the person sees in the browser after the redirect. */
  readonly page: (authorizationResponse: URLSearchParams) => string
}

/** A server on loopback that waits for the redirect of a browser. */
export interface Redirect {
  /** The parameters of the redirect, if its `state` is correct. Rejects when the wait ends. */
  readonly response: Promise<URLSearchParams>
  readonly close: () => void
}

/** The default port of the redirect URI. Many app registrations have it. */
export const DEFAULT_REDIRECT_PORT = 33333

/** The largest form that is read. A sign-in has a few hundred bytes. */
const MAX_FORM_BYTES = 64 * 1024

/**
 * Serves `http://localhost:<port>` until a browser is redirected there. `localhost` may be the IPv4 or the IPv6
 * address, so both are served if both exist.
 *
 * @throws the system's error if the port is in use
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
    // This machine has no IPv6.
  }
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  if (signal.aborted) reject(signal.reason as Error)
  // If the server is closed before the redirect, nothing handles the rejection.
  response.catch(() => undefined)
  return { response, close }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    read(request)
      .then((parameters) => {
        if (parameters === undefined) return respond(response, 404, 'Not found.')
        if (parameters.get('state') !== state) {
          return respond(
            response,
            400,
            'This redirect does not belong to the current sign-in. Start again from the address in the terminal.',
          )
        }
        respond(response, 200, page(parameters))
        resolve(parameters)
      })
      .catch(() => respond(response, 400, 'The request cannot be read.'))
  }
}

/**
 * The parameters of a redirect, from the query or a form; `undefined` for other requests, such as one for a favicon.
 */
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
