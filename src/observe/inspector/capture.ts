import type { IncomingMessage, ServerResponse } from 'node:http'

import { decode } from '../../outbound/content-coding.ts'
import { BLANK } from './blank.ts'

/** The captured request and response. */
export interface Captured {
  readonly requestBody: string | undefined
  readonly responseBody: string | undefined
}

/** A request in progress, and its response. */
export interface Watched {
  /** Raw. */
  readonly target: string
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Memory for unfinished records. */
interface Memory {
  readonly reserve: (bytes: number) => boolean
  readonly release: (bytes: number) => void
}

/** Captured bytes of a body. */
const MAX_BODY_BYTES = 64 * 1024

/** Limit of decoded bytes of a body. */
const MAX_DECODED_BYTES = 1024 * 1024

/** Types of text bodies. Files have other types, and are never captured. */
const TEXT_TYPES = /^(?:application\/(?:[\w.-]+\+)?(?:json|xml)|multipart\/mixed|text\/(?:plain|xml))\b/i

/** Addresses of files and images, of any type. */
const FILE_PATH = /\/\$value$|\/\$value\?|download\.aspx|\/entityimage\b/i

/**
 * Captures a request's body and its response without changing them. Only for requests that start
 * while the switch is on; others have no cost.
 *
 * @returns a function that returns the captured data once, and releases its memory
 */
export function capture({ target, request, response }: Watched, memory: Memory): () => Captured {
  const isFile = FILE_PATH.test(target)
  const inbound = keeper(memory)
  const outbound = keeper(memory)
  let head: Head = { type: '', coding: '' }

  if (!isFile && TEXT_TYPES.test(request.headers['content-type'] ?? '')) {
    // The parser pushes each byte once, regardless of the readers.
    const push = request.push.bind(request)
    request.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk instanceof Buffer) inbound.add(chunk)
      return push(chunk, encoding)
    }
  }
  const { writeHead, write, end } = response
  response.writeHead = function (this: ServerResponse, ...words: unknown[]) {
    head = headOf(words.at(-1))
    return writeHead.apply(this, words as never)
  } as typeof writeHead
  response.write = function (this: ServerResponse, ...words: unknown[]) {
    outbound.add(words[0], words[1])
    return write.apply(this, words as never)
  } as typeof write
  response.end = function (this: ServerResponse, ...words: unknown[]) {
    outbound.add(words[0], words[1])
    return end.apply(this, words as never)
  } as typeof end

  return () => {
    const sent = inbound.take()
    const received = outbound.take()
    const isText = !isFile && TEXT_TYPES.test(head.type)
    return {
      requestBody: sent.length === 0 ? undefined : shown(sent, String(request.headers['content-encoding'] ?? '')),
      responseBody: received.length === 0 || !isText ? undefined : shown(received, head.coding),
    }
  }
}

/** Keeps the first bytes of a body. */
function keeper(memory: Memory): { add: (chunk: unknown, encoding?: unknown) => void; take: () => Buffer } {
  const chunks: Buffer[] = []
  let length = 0
  return {
    add(chunk, encoding) {
      if (length >= MAX_BODY_BYTES || (typeof chunk !== 'string' && !(chunk instanceof Uint8Array))) return
      const room = MAX_BODY_BYTES - length
      // A copy: a slice would keep the entire buffer in memory.
      const copy =
        typeof chunk === 'string'
          ? Buffer.from(chunk.slice(0, room), (encoding as BufferEncoding | undefined) ?? 'utf8')
          : Buffer.from(chunk.subarray(0, room))
      if (!memory.reserve(copy.length)) return
      length += copy.length
      chunks.push(copy)
    },
    take() {
      memory.release(length)
      return Buffer.concat(chunks)
    },
  }
}

interface Head {
  readonly type: string
  readonly coding: string
}

/** Facts about the body from a response's head; headers are flat, or by name. */
function headOf(headers: unknown): Head {
  const pairs: readonly (readonly [string, unknown])[] = Array.isArray(headers)
    ? headers.flatMap((name, index) => (index % 2 === 0 ? [[String(name), headers[index + 1]] as const] : []))
    : Object.entries(Object(headers) as object)
  const valueOf = (wanted: string): string => String(pairs.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? '')
  return { type: valueOf('content-type'), coding: valueOf('content-encoding') }
}

function shown(bytes: Buffer, coding: string): string {
  const plain = coding === '' ? bytes : decode(bytes, coding, MAX_DECODED_BYTES)
  if (plain === undefined) return `(${bytes.length} bytes in ${coding.slice(0, 40)})`
  return withoutFiles(plain.toString('utf8', 0, MAX_BODY_BYTES))
}

/** A text without long parts, which may be files, tokens or keys. */
function withoutFiles(text: string): string {
  return text.replace(/[\w+/.~-]{120,}={0,2}/g, (found) => `${BLANK}(${found.length} characters)`)
}
