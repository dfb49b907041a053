/**
 * Rewrites a body while it streams.
 *
 * `push` gives back what can go on now, in order, as few pieces: the very same Buffer when nothing changed, one new
 * Buffer when the outcome is small, and large unchanged stretches as views of the chunk, never copied. It may give back
 * nothing. Chunks must not be written to afterwards, for a view or a short tail of them may still be held.
 * `end` gives back what was held. After either threw, the transform is of no further use.
 */
export interface ByteTransform {
  push(chunk: Buffer): readonly Buffer[]
  end(): readonly Buffer[]
}
