import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import type { Sink } from '../dynamics/send.ts'
import { rewriteChunk } from '../odata/text-transform.ts'
import { atEndOfTurn } from '../server/end-of-turn.ts'
import type { ResponseParts } from './response-parts.ts'

/** Buffered bytes of one response, for a caller that is slower than Dynamics. */
export const HIGH_WATER_BYTES = 256 * 1024

/**
 * Writes a body as it arrives, after `begin` has written the head. Chunks that arrive in one turn of the event loop are
 * written with one system call.
 *
 * The socket is corked, not the response: Node 22 and 24 write the terminating chunk of a corked response before the
 * data that the response still buffers, and may never emit `drain`.
 *
 * @until Node writes a corked response in order
 */
export function streamed(
  raw: ServerResponse,
  { transform, pageDetector, refuse }: ResponseParts,
  begin: () => void,
): Sink {
  let corked: ServerResponse['socket'] = null
  let hasArrived = false
  let hasBegun = false
  let hasFailed = false
  const sink: Sink = {
    resume: undefined,
    write: (chunk) => {
      if (!hasArrived) pageDetector?.check(chunk)
      hasArrived = true
      const piece = transform === undefined ? chunk : rewriteChunk(transform, chunk)
      // A transform may buffer text that it cannot decide on yet.
      if (piece.length === 0) return true
      if (!hasBegun) beginOnce()
      if (corked === null && raw.socket !== null) {
        corked = raw.socket
        corked.cork()
        atEndOfTurn({ run: uncork })
      }
      // Node asks for a pause after 16 KiB. Each pause costs two system calls, more than the memory is worth.
      return raw.write(piece, 'latin1') || raw.writableLength < HIGH_WATER_BYTES
    },
    end: () => {
      const rest = transform?.end()
      if (!hasBegun) beginOnce()
      if (rest !== undefined) raw.write(rest, 'latin1')
      raw.end()
    },
    fail: (reason) => {
      if (hasFailed) return
      hasFailed = true
      if (hasBegun) reset(raw)
      else refuse(reason)
    },
  }
  raw.on('drain', () => sink.resume?.())
  return sink

  function beginOnce(): void {
    begin()
    hasBegun = true
  }

  function uncork(): void {
    corked?.uncork()
    corked = null
  }
}

/** Resets the caller's connection, so that a truncated response does not look complete. */
function reset(raw: ServerResponse): void {
  const { socket } = raw
  // A Unix socket has no reset.
  if (socket instanceof Socket && socket.remoteAddress !== undefined && !('encrypted' in socket)) {
    socket.resetAndDestroy()
  } else {
    raw.destroy()
  }
}
