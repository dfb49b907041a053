/** A `$batch` that cannot be read in one way only. The message is a sentence for the caller. */
export class MalformedBatch extends Error {
  override readonly name = 'MalformedBatch'
}

/** An operation of a `$batch` that must not be sent on. The message is a sentence that names the part. */
export class RefusedPart extends Error {
  override readonly name = 'RefusedPart'
}
