import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { RequestTooSlow } from '../errors.ts'
import { endWith } from './client-error.ts'

/**
 * Ends connections on which nothing has moved for `patience` milliseconds though it is the caller's turn: a body that
 * stops arriving, an answer that is not taken. Moving slowly is no reason: a gigabyte may take its time.
 *
 * Node's own socket timeouts take the part of a write that the system takes at once for progress, so a caller that
 * takes nothing would hold its place twice as long. They see nothing of a large write that a slow caller takes, either.
 *
 * @returns the last answer that is being made on a connection, if any
 */
export function endStalled(server: Server, patience: number): (socket: Socket) => ServerResponse | undefined {
  // One entry for a connection and not for every request: the garbage collector looks through all that are new.
  const connections = new Map<Socket, Carried>()
  function carry({ socket }: IncomingMessage, response: ServerResponse, writtenBefore: number | undefined): void {
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

  // The request's socket: an answer has none while those before it on the connection are under way.
  server.prependListener('request', (request, response) => carry(request, response, undefined))
  server.prependListener('checkExpectation', (request, response) => carry(request, response, undefined))
  server.prependListener('checkContinue', (request, response) => carry(request, response, request.socket.bytesWritten))

  // Looks are counted, not the time between them: a process that was kept from looking has seen nothing stand still.
  const timer = setInterval(() => {
    for (const [socket, carried] of connections) {
      if (carried.response.writableFinished || moved(socket, carried)) carried.quiet = 0
      else if (++carried.quiet >= LOOKS) end(socket, carried)
    }
  }, patience / LOOKS).unref()
  server.on('close', () => clearInterval(timer))
  return (socket) => connections.get(socket)?.response
}

/** How often a connection is looked at in the time after which it is given up. */
const LOOKS = 10

/** What a connection carries, and what it was like at the last look. */
interface Carried {
  /** The last answer that is being made. */
  response: ServerResponse
  /** Bytes that had been written when its caller began to wait to be told to go on. */
  writtenBefore: number | undefined
  /** Bytes read. */
  read: number
  /** Bytes of all writes that are complete. */
  taken: number
  /** Bytes of the write under way that the system has not taken yet. */
  queued: number
  /** Looks in a row that saw nothing move. */
  quiet: number
}

/** Whether bytes were read, or taken by the caller, since the last look. */
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

/** Only Node's handle tells how much of a write the system has taken, which is how its own timeouts know. */
function queueOf(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null }
  return handle?.writeQueueSize ?? 0
}

/** Gives up a connection on which nothing moves, if it is its caller's turn. */
function end(socket: Socket, carried: Carried): void {
  const { response, writtenBefore } = carried
  const { req: request } = response
  const toldToGoOn = writtenBefore !== socket.bytesWritten
  if (!request.complete && request.readableLength === 0 && toldToGoOn) {
    if (response.headersSent || !socket.writable) socket.destroy()
    else endWith(socket, new RequestTooSlow())
  } else if (response.headersSent && response.writableLength > 0) {
    socket.destroy()
  } else {
    // It is Dynamics' turn, or the gateway's.
    carried.quiet = 0
  }
}
