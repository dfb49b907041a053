import type { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

import type { AnswerBody, Sink } from './dynamics/send.ts'
import type { ByteTransform } from './odata/links.ts'

/** A content coding that can be undone. */
export type Coding = 'gzip' | 'deflate' | 'br'

/** How an answer goes to the caller. */
export interface Delivery {
  readonly status: number
  /** Flat, without the framing. */
  readonly headers: string[]
  /** What Dynamics said of the body's length, as it sent it. */
  readonly contentLength: string | undefined
  /** Whether this status, to this method, has a body at all. */
  readonly hasBody: boolean
  /** To be undone, because links inside must change. */
  readonly coding: Coding | undefined
  /** Turns links outward. */
  readonly transform: ByteTransform | undefined
}

/**
 * Writes an answer to the caller. One that has arrived already, or is short, goes out in one piece; else the body
 * follows as it arrives, no faster than the caller reads. One that breaks off resets the caller's connection: it is
 * never ended as if it were whole.
 */
export function deliver(body: AnswerBody, raw: ServerResponse, delivery: Delivery): void {
  const { status, headers, contentLength, hasBody, coding, transform } = delivery
  if (!hasBody) {
    raw.writeHead(status, framed(headers, transform === undefined ? contentLength : undefined))
    body.flow(ignoring(raw))
  } else if (coding === undefined && (body.complete || Number(contentLength ?? Infinity) <= SOON_WHOLE)) {
    body.flow(atOnce(raw, delivery))
  } else {
    raw.writeHead(status, framed(headers, transform === undefined && coding === undefined ? contentLength : undefined))
    body.flow(coding === undefined ? asItArrives(raw, transform) : decoded(raw, coding, transform))
  }
}

function framed(headers: string[], contentLength: string | undefined): string[] {
  if (contentLength !== undefined) headers.push('content-length', contentLength)
  return headers
}

/** For answers without a body; bytes that come all the same are dropped. */
function ignoring(raw: ServerResponse): Sink {
  raw.end()
  return { resume: undefined, write: () => true, end: () => undefined, fail: () => undefined }
}

/** An answer that says it is no longer than this is waited for: its rest is on its way. */
const SOON_WHOLE = 64 * 1024

/** Up to this size, copying a body costs less than a write of its own. */
const ONE_WRITE = 16 * 1024

/** For a body that has arrived: one write. */
function atOnce(raw: ServerResponse, { status, headers, transform }: Delivery): Sink {
  const pieces: Buffer[] = []
  return {
    resume: undefined,
    write: (chunk) => {
      if (transform === undefined) pieces.push(chunk)
      else pieces.push(...transform.push(chunk))
      return true
    },
    end: () => {
      if (transform !== undefined) pieces.push(...transform.end())
      const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
      raw.writeHead(status, framed(headers, String(whole.length)))
      if (whole.length < ONE_WRITE) inOneWrite(raw, whole)
      else raw.end(whole)
    },
    fail: () => reset(raw),
  }
}

/**
 * Writes head and body as one piece. As text the body joins the head, for Latin-1 is every byte as it is; and a socket
 * that is corked already is not corked by Node until its next tick, when `end` would have added an empty piece: two
 * pieces are a `writev`, which costs half as much again. Until Node writes what `end` is given with the head.
 */
function inOneWrite(raw: ServerResponse, body: Buffer): void {
  const { socket } = raw
  socket?.cork()
  raw.write(body.toString('latin1'), 'latin1')
  socket?.uncork()
  raw.end()
}

/**
 * For a body that follows. Pieces that arrive in one turn of the event loop leave in one write: a chunk of each would cost
 * a frame and a system call of its own.
 */
function asItArrives(raw: ServerResponse, transform: ByteTransform | undefined): Sink {
  let gathering = false
  const sink: Sink = {
    resume: undefined,
    write: (chunk) => {
      if (!gathering) {
        gathering = true
        raw.cork()
        setImmediate(letGo)
      }
      if (transform === undefined) return raw.write(chunk)
      let more = true
      for (const piece of transform.push(chunk)) more = raw.write(piece)
      return more
    },
    end: () => {
      if (transform !== undefined) for (const piece of transform.end()) raw.write(piece)
      raw.end()
    },
    fail: () => reset(raw),
  }
  raw.on('drain', () => sink.resume?.())
  return sink

  function letGo(): void {
    gathering = false
    raw.uncork()
  }
}

function decoded(raw: ServerResponse, coding: Coding, transform: ByteTransform | undefined): Sink {
  const decoder = decoderOf(coding)
  const plain = asItArrives(raw, transform)
  plain.resume = () => decoder.resume()
  decoder.on('data', (chunk: Buffer) => {
    if (!plain.write(chunk)) decoder.pause()
  })
  decoder.on('end', plain.end)
  decoder.on('error', plain.fail)
  raw.on('close', () => decoder.destroy())
  const sink: Sink = {
    resume: undefined,
    write: (chunk) => decoder.write(chunk),
    end: () => decoder.end(),
    fail: plain.fail,
  }
  decoder.on('drain', () => sink.resume?.())
  return sink
}

function decoderOf(coding: Coding): Transform {
  switch (coding) {
    case 'gzip': return createGunzip()
    case 'deflate': return createInflate()
    case 'br': return createBrotliDecompress()
  }
}

/** Ends the caller's connection so that nobody takes what was written for the whole. */
export function reset(raw: ServerResponse): void {
  const { socket } = raw
  // A Unix socket knows no reset.
  if (socket instanceof Socket && socket.remoteAddress !== undefined && !('encrypted' in socket)) {
    socket.resetAndDestroy()
  } else {
    raw.destroy()
  }
}
