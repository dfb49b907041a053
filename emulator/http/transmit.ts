import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

import type { TransportFault } from './faults.ts'
import { type Header, headerOf, type Reply } from './operation.ts'

/** Sends a response, broken as `fault` asks for. Resolves when all bytes are written, or none will be. */
export async function transmit(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  fault: { readonly kind: string } | undefined,
): Promise<void> {
  const broken = fault as TransportFault | undefined
  if (broken?.kind === 'reset after commit') return reset(request)
  if (broken?.kind === 'invalid head') {
    request.socket.end('HTTP/1.1 200 OK\r\nContent Type: application/json\r\n: nothing\r\n\r\n{}')
    return
  }
  const body = reply.body === undefined || request.method === 'HEAD' ? Buffer.alloc(0) : Buffer.from(reply.body)
  const headers = withFraming(reply, request)
  if (broken?.kind === 'big head') headers.push(['x-ms-padding', 'p'.repeat(broken.size ?? 65_536)])
  response.writeHead(reply.status, headers.flat())

  switch (broken?.kind) {
    case 'half':
    case 'hang in body': {
      response.write(body.subarray(0, Math.ceil(body.length / 2)))
      if (broken.kind === 'hang in body') return
      // Long enough for the first half to be sent, so that the response breaks in its middle.
      await wait(20)
      return reset(request)
    }
    case 'slow': {
      for (let at = 0; at < body.length && !response.destroyed; at += broken.size) {
        await writeChunk(response, body.subarray(at, at + broken.size))
        await wait(broken.ms)
      }
      response.end()
      return
    }
    case 'close after': {
      response.end(body, () => request.socket.destroy())
      return
    }
    default: {
      for (let at = 0; at < body.length && !response.destroyed; at += CHUNK_BYTES) {
        await writeChunk(response, body.subarray(at, at + CHUNK_BYTES))
      }
      response.end()
    }
  }
}

/** Resets the connection, which no client can mistake for the end of a response. */
export function reset({ socket }: IncomingMessage): void {
  socket.resetAndDestroy()
}

const CHUNK_BYTES = 64 * 1024

function withFraming(reply: Reply, request: IncomingMessage): Header[] {
  const headers = [...reply.headers]
  const streamed = /odata\.streaming=true|multipart\/mixed/.test(headerOf(reply, 'content-type') ?? '')
  const bodiless = reply.status === 204 || reply.status === 304 || headerOf(reply, 'content-length') !== undefined
  if (bodiless) return headers
  if (streamed && request.httpVersion === '1.1') return [...headers, ['Transfer-Encoding', 'chunked']]
  return [...headers, ['Content-Length', String(Buffer.byteLength(reply.body ?? ''))]]
}

async function writeChunk(response: ServerResponse, chunk: Buffer): Promise<void> {
  if (response.write(chunk)) return
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    response.on('drain', settle)
    response.on('close', settle)
  })
}
