/** A malformed or ambiguous `$batch`. The message is a sentence for the caller. */
export class MalformedBatch extends Error {
  override readonly name = 'MalformedBatch'
}

/** An operation of a `$batch` that must not be forwarded. The message is a sentence with the part's number. */
export class RefusedPart extends Error {
  override readonly name = 'RefusedPart'
}

/** A `$batch` in JSON that is larger than the limit for buffering it. */
export class OversizedBatch extends Error {
  override readonly name = 'OversizedBatch'
  /** In bytes. */
  readonly limit: number

  constructor(limit: number) {
    super('The batch in JSON is too large; send it as multipart/mixed.')
    this.limit = limit
  }
}
