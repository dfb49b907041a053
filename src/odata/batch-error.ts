/** A `$batch` that cannot be read in one way only. The message is a sentence for the caller. */
export class MalformedBatch extends Error {
  override readonly name = 'MalformedBatch'
}

/** An operation of a `$batch` that must not be sent on. The message is a sentence that names the part. */
export class RefusedPart extends Error {
  override readonly name = 'RefusedPart'
}

/** A `$batch` in JSON that is larger than is held in memory. */
export class OversizedBatch extends Error {
  override readonly name = 'OversizedBatch'
  /** In bytes. */
  readonly limit: number

  constructor(limit: number) {
    super('The batch in JSON is too large; send it as multipart/mixed.')
    this.limit = limit
  }
}
