import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { RequestTooSlow } from '../errors.ts'
import { endWith } from './client-error.ts'

/**
 * Ends connections on which nothing has moved for `patience` milliseconds though it is the caller's turn: a body that
 * stops arriving, an answer that is not taken, an idle connection. Moving slowly is no reason: a gigabyte may take its
 * time.
 *
 * @returns the last answer that is being made on a connection, if any
 */
export function endStalled(server: Server, patience: number): (socket: Socket) => ServerResponse | undefined {
  // One entry for a connection and not for every request: the garbage collector looks through all that are new.
  const connections = new WeakMap<Socket, Carried>()
  function carriedOn(socket: Socket): Carried {
    let carried = connections.get(socket)
    if (carried === undefined) connections.set(socket, carried = { response: undefined, writtenBefore: undefined })
    return carried
  }

  // The request's socket: an answer has none while those before it on the connection are under way.
  server.prependListener('request', ({ socket }, response) => {
    const carried = carriedOn(socket)
    carried.response = response
    carried.writtenBefore = undefined
  })
  server.prependListener('checkContinue', ({ socket }, response) => {
    const carried = carriedOn(socket)
    carried.response = response
    carried.writtenBefore = socket.bytesWritten
  })
  server.setTimeout(patience, (socket) => {
    const { response, writtenBefore } = carriedOn(socket)
    if (response === undefined || response.writableFinished) return void socket.destroy()
    const { req: request } = response
    const toldToGoOn = writtenBefore !== socket.bytesWritten
    if (!request.complete && request.readableLength === 0 && toldToGoOn) {
      return response.headersSent || !socket.writable ? void socket.destroy() : endWith(socket, new RequestTooSlow())
    }
    if (response.headersSent && response.writableLength > 0) return void socket.destroy()
    // It is Dynamics' turn, or the gateway's.
    socket.setTimeout(patience)
  })
  return (socket) => connections.get(socket)?.response
}

/** What a connection carries. */
interface Carried {
  /** The last answer that is being made. */
  response: ServerResponse | undefined
  /** Bytes that had been written when its caller began to wait to be told to go on. */
  writtenBefore: number | undefined
}
