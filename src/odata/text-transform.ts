/**
 * Rewrites a body while it streams.
 *
 * Bodies are Latin-1 text here, one character a byte: Node searches and writes such text as fast as bytes, and
 * creating Buffers of its pieces costs several times as much as the rewriting.
 *
 * `push` returns the text that can be forwarded now, the same string when nothing changed, perhaps empty. `end` returns
 * the buffered rest. After either of them throws, the transform must not be used again.
 */
export interface TextTransform {
  push(text: string): string
  end(): string
  /** Replaces `end` when a long text is buffered: returns it in pieces, each of which takes little time. */
  endInPieces?(): Iterable<string>
  /** Replaces the last `push` and `end`, without the search for text that may continue in a next chunk. */
  last?(text: string): string
  /** Whether `bytes` are forwarded unchanged; if so they count as pushed. Avoids converting a large body to text. */
  skip?(bytes: Buffer): boolean
}

/**
 * The result of an unused `transform` for a complete body, in the pieces that arrived. They are not joined first: V8
 * would copy the joined text to search it.
 */
export function rewriteComplete(transform: TextTransform, pieces: readonly string[]): string {
  const last = pieces.length - 1
  let out = ''
  for (let index = 0; index < last; index++) out += transform.push(pieces[index]!)
  return out + rewriteLast(transform, pieces[last] ?? '')
}

function rewriteLast(transform: TextTransform, text: string): string {
  return transform.last === undefined ? transform.push(text) + transform.end() : transform.last(text)
}

/** `bytes` from `from` on as Latin-1 text. */
export function textOf(bytes: Buffer, from = 0): string {
  // The internal function of `toString('latin1')`, without the lookup of the encoding.
  return (bytes as Buffer & { latin1Slice(from: number): string }).latin1Slice(from)
}

/** The bytes of `text` in Latin-1. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/**
 * The result of `transform` for `chunk`: the same Buffer when nothing changed, so that it need not be
 * written again.
 */
export function rewriteChunk(transform: TextTransform, chunk: Buffer): Buffer | string {
  if (transform.skip?.(chunk) === true) return chunk
  const text = textOf(chunk)
  const out = transform.push(text)
  return out === text ? chunk : out
}
