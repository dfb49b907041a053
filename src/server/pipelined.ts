import type { RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { isEnding } from './raw-response.ts'

/** Pipelined requests of one connection that are processed at the same time. */
const MAX_RUNNING = 16

/** Queued requests of one connection beyond which Node reads no more from it. What it has read by then is queued too. */
const MAX_QUEUED = 100

/**
 * Limits the requests that a caller sends on one connection before it has the responses to earlier ones. Node parses all
 * that it reads, up to 64 KiB at a time, and keeps the responses until it is their turn. So a caller that sends thousands
 * of requests and reads nothing would fill the memory.
 */
export function limitPipelined(handler: RequestListener): RequestListener {
  return (request, response) => {
    // Usually no response is in progress, and this one has the connection.
    if (response.socket !== null) return handler(request, response)
    const socket: WithPipeline = request.socket
    const pipeline = (socket[PIPELINE] ??= new Pipeline(socket, handler))
    pipeline.add(response)
  }
}

const PIPELINE = Symbol('pipelined requests')

interface WithPipeline extends Socket {
  [PIPELINE]?: Pipeline
}

/** The pipelined requests of one connection, by their responses. */
class Pipeline {
  readonly #socket: Socket
  readonly #handler: RequestListener
  readonly #running = new Set<ServerResponse>()
  readonly #queued: ServerResponse[] = []

  constructor(socket: Socket, handler: RequestListener) {
    this.#socket = socket
    this.#handler = handler
    bufferWhilePaused(socket)
    socket.once('close', () => this.#closeRunning())
  }

  add(response: ServerResponse): void {
    // The connection ends with an earlier response.
    if (isEnding(this.#socket)) return
    if (this.#running.size < MAX_RUNNING) return this.#start(response)
    this.#queued.push(response)
    weigh(response, 1)
  }

  #start(response: ServerResponse): void {
    this.#running.add(response)
    response.once('close', () => this.#end(response))
    this.#handler(response.req, response)
  }

  #end(response: ServerResponse): void {
    this.#running.delete(response)
    const next = this.#socket.destroyed ? undefined : this.#queued.shift()
    if (next === undefined) return
    weigh(next, -1)
    this.#start(next)
  }

  /**
   * Closes the responses that wait for their turn. Otherwise their requests would never end: they would be neither
   * cancelled nor in the log and the audit log. Once its turn comes, Node closes a response with the connection.
   *
   * @until Node 24, which closes them itself
   */
  #closeRunning(): void {
    for (const response of this.#running) if (response.socket === null) response.destroy().emit('close')
  }
}

/**
 * Counts a queued request as bytes of a response that waits for its turn. Node stops reading from a connection while
 * these exceed its high-water mark.
 *
 * @until Node limits the number of pipelined requests
 */
function weigh(response: ServerResponse, sign: 1 | -1): void {
  const { req, _onPendingData: count } = response as ServerResponse & { _onPendingData: (bytes: number) => void }
  count(sign * Math.ceil(req.socket.writableHighWaterMark / MAX_QUEUED))
}

/**
 * Node's parser takes bytes directly from the connection. Those of a TLS connection still arrive when it is paused, and
 * are then errors. With a listener for data they go through the connection's own buffer.
 *
 * @until Node's parser accepts bytes while it is paused
 */
function bufferWhilePaused(socket: Socket): void {
  socket.on('data', () => undefined)
}
