import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { RequestTooSlow } from '../errors.ts'
import { endRequestWith } from './raw-response.ts'

/** Watches the connections of a server for progress. */
export interface StallWatch {
  /**
   * A request begins on its connection.
   *
   * @param writtenBefore bytes written before its caller began to wait for 100 Continue
   */
  readonly begin: (request: IncomingMessage, response: ServerResponse, writtenBefore?: number) => void
  /** The last response in progress on a connection, if any. */
  readonly responseOn: (socket: Socket) => ServerResponse | undefined
}

/**
 * Ends connections without progress for `timeoutMs` milliseconds although it is the caller's turn: a body that
 * stops arriving, or a response that is not read. Slow progress is allowed: a gigabyte may take its time.
 *
 * Node's own socket timeouts take the part of a write that the system takes at once for progress, so a caller that
 * takes nothing would hold its place twice as long. They see nothing of a large write that a slow caller takes, either.
 */
export function endStalled(server: Server, timeoutMs: number): StallWatch {
  // One entry for a connection and not for every request: the garbage collector looks through all that are new.
  const connections = new Map<Socket, Carried>()
  // The request's socket: a response has none while earlier ones on the connection are in progress.
  function begin({ socket }: IncomingMessage, response: ServerResponse, writtenBefore?: number): void {
    const carried = connections.get(socket)
    if (carried !== undefined) {
      carried.response = response
      carried.writtenBefore = writtenBefore
      carried.quiet = 0
      return
    }
    connections.set(socket, { response, writtenBefore, read: 0, taken: 0, queued: 0, quiet: 0 })
    socket.once('close', () => connections.delete(socket))
  }

  // Checks are counted instead of time: a suspended process has not observed a stall.
  const timer = setInterval(() => {
    for (const [socket, carried] of connections) {
      if (isIdle(carried) || moved(socket, carried)) carried.quiet = 0
      else if (++carried.quiet >= CHECKS) end(socket, carried)
    }
  }, timeoutMs / CHECKS).unref()
  server.on('close', () => clearInterval(timer))
  return { begin, responseOn: (socket) => connections.get(socket)?.response }
}

/** How many checks fit into the timeout. */
const CHECKS = 10

/** The state of a connection at the last check. */
interface Carried {
  /** The last response in progress. */
  response: ServerResponse
  /** Bytes written before the caller began to wait for 100 Continue. */
  writtenBefore: number | undefined
  /** Bytes read. */
  read: number
  /** Bytes of all writes that are complete. */
  taken: number
  /** Bytes of the current write that the system has not accepted yet; `undefined`: the connection is being closed. */
  queued: number | undefined
  /** Consecutive checks without progress. */
  quiet: number
}

/** Whether the last request and its response are complete. A refused request may still have a body to come. */
function isIdle({ response }: Carried): boolean {
  return response.writableFinished && response.req.complete
}

/** Whether bytes were received, or read by the caller, since the last check. */
function moved(socket: Socket, carried: Carried): boolean {
  const read = socket.bytesRead
  const taken = socket.bytesWritten - socket.writableLength
  const queued = queueOf(socket)
  if (read === carried.read && taken === carried.taken && queued === carried.queued) return false
  carried.read = read
  carried.taken = taken
  carried.queued = queued
  return true
}

/** Only Node's handle knows how much of a write the system has accepted; its own timeouts use it too. */
function queueOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null }
  return handle?.writeQueueSize
}

/** Ends a stalled connection if it is the caller's turn. */
function end(socket: Socket, carried: Carried): void {
  const { response, writtenBefore } = carried
  const { req: request } = response
  const continueSent = writtenBefore !== socket.bytesWritten
  if (response.socket === null && !response.writableFinished) {
    // It waits for earlier responses. The caller does not read them, or they are not ready.
    if (socket.writableLength > 0) socket.destroy()
    else carried.quiet = 0
  } else if (!request.complete && request.readableLength === 0 && continueSent) {
    if (response.headersSent || !socket.writable) socket.destroy()
    else endRequestWith(socket, new RequestTooSlow())
  } else if (response.headersSent && response.writableLength > 0) {
    socket.destroy()
  } else {
    // It is Dynamics' or the gateway's turn.
    carried.quiet = 0
  }
}
