import type { ServerResponse } from 'node:http'

import type { Sink } from '../dynamics/send.ts'
import { textOf, rewriteComplete } from '../odata/text-transform.ts'
import { atEndOfTurn } from '../server/end-of-turn.ts'
import type { Deferred } from '../server/end-of-turn.ts'
import { framed } from './response-parts.ts'
import type { ResponseParts } from './response-parts.ts'

/** Instead of an array for each response without a body. Nothing is ever added to it. */
const NO_PIECES: string[] = []

/** For a body that has arrived, or will soon: a single write. */
export class CoalescedResponse implements Sink, Deferred {
  resume: (() => void) | undefined = undefined
  readonly #raw: ServerResponse
  readonly #parts: ResponseParts
  #pieces: string[] = NO_PIECES
  #text = ''

  constructor(raw: ServerResponse, parts: ResponseParts) {
    this.#raw = raw
    this.#parts = parts
  }

  write(chunk: Buffer): boolean {
    const text = textOf(chunk)
    if (this.#pieces !== NO_PIECES) this.#pieces.push(text)
    else {
      this.#parts.pageDetector?.check(chunk)
      this.#pieces = [text]
    }
    return true
  }

  end(): void {
    const { transform } = this.#parts
    try {
      this.#text = transform === undefined ? this.#pieces.join('') : rewriteComplete(transform, this.#pieces)
    } catch (cause) {
      return this.fail(cause)
    }
    atEndOfTurn(this)
  }

  run(): void {
    const { status, headers } = this.#parts
    try {
      this.#raw.writeHead(status, framed(headers, String(this.#text.length)))
    } catch (cause) {
      return this.fail(cause)
    }
    writeOnce(this.#raw, this.#text)
  }

  fail(cause: unknown): void {
    this.#parts.refuse(cause)
  }
}

/**
 * Writes head and body in one write. As text the body joins the head. And a socket that is already corked is not corked
 * by Node until its next tick, when `end` would have added an empty piece: two pieces need a `writev`, which costs half
 * as much again.
 *
 * @param body in Latin-1
 * @until Node writes the body of `end` in one piece with the head
 */
function writeOnce(raw: ServerResponse, body: string): void {
  const { socket } = raw
  socket?.cork()
  raw.write(body, 'latin1')
  socket?.uncork()
  raw.end()
}
