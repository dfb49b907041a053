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
  const carried = new WeakMap<Socket, ServerResponse>()
  /** Callers that wait to be told to go on, by what had been written to them before. */
  const waiting = new WeakMap<ServerResponse, number>()

  // The request's socket: an answer has none while those before it on the connection are under way.
  server.prependListener('request', (request, response) => void carried.set(request.socket, response))
  server.prependListener('checkContinue', ({ socket }, response) => {
    carried.set(socket, response)
    waiting.set(response, socket.bytesWritten)
  })
  server.setTimeout(patience, (socket) => {
    const response = carried.get(socket)
    if (response === undefined || response.writableFinished) return void socket.destroy()
    const { req: request } = response
    const toldToGoOn = waiting.get(response) !== socket.bytesWritten
    if (!request.complete && request.readableLength === 0 && toldToGoOn) {
      return response.headersSent || !socket.writable ? void socket.destroy() : endWith(socket, new RequestTooSlow())
    }
    if (response.headersSent && response.writableLength > 0) return void socket.destroy()
    // It is Dynamics' turn, or the gateway's.
    socket.setTimeout(patience)
  })
  return (socket) => carried.get(socket)
}
