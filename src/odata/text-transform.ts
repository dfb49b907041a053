/**
 * Rewrites a body while it streams.
 *
 * A body is text in Latin-1 here, each character a byte: Node searches and writes such text as fast as bytes, and
 * making Buffers of its pieces costs several times the rewriting.
 *
 * `push` returns what can go on now, the very same text when nothing changed; perhaps nothing. `end` returns what
 * was held. After either threw, the transform is of no further use.
 */
export interface TextTransform {
  push(text: string): string
  end(): string
  /** As `end`, where a long text is held: in pieces, each of which takes little time. Called in place of `end`. */
  endInPieces?(): Iterable<string>
  /** As `push` and `end` of a body that is all there; spares the search for what might go on in a next piece. */
  complete?(text: string): string
  /** Whether `bytes` go on as they are; if so they count as pushed. Spares a large body being made a text. */
  skip?(bytes: Buffer): boolean
}

/** What `transform`, which has met nothing yet, makes of a body that is all there. */
export function rewriteComplete(transform: TextTransform, text: string): string {
  return transform.complete === undefined ? transform.push(text) + transform.end() : transform.complete(text)
}

/** `bytes`, `from` on, as text in Latin-1. */
export function textOf(bytes: Buffer, from = 0): string {
  // What `toString('latin1')` comes to, after it has looked up the encoding.
  return (bytes as Buffer & { latin1Slice(from: number): string }).latin1Slice(from)
}

/** The bytes that `text` in Latin-1 stands for. */
export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/**
 * What `transform` makes of `chunk`: the same Buffer when that is what it was, for what did not change need not be
 * written again.
 */
export function rewriteChunk(transform: TextTransform, chunk: Buffer): Buffer | string {
  if (transform.skip?.(chunk) === true) return chunk
  const text = textOf(chunk)
  const out = transform.push(text)
  return out === text ? chunk : out
}
