import type { Row } from '../dataverse/rows.ts'

/** Name and value of a header, as sent. */
export type Header = readonly [name: string, value: string]

/** The user that a request runs as. */
export interface Identity {
  /** The row of the user whose rights apply, and who owns new rows. */
  readonly user: Row
  /** The row of the application user, when it acts for `user`. */
  readonly onBehalfOf: Row | undefined
}

/** One request to Dataverse, either a request of its own or a part of a `$batch`. */
export interface Operation {
  readonly method: string
  /** Path and query, byte for byte as received. */
  readonly target: string
  /** Scheme and host that the caller used. Every absolute URL of the response has them. */
  readonly origin: string
  /** By lower-case name; repeated headers joined with a comma. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly identity: Identity
  /** Entities created earlier in the same change set, by Content-ID, as `accounts(<guid>)`. */
  readonly references?: Map<string, string>
}

/** The response to one operation. */
export interface Reply {
  readonly status: number
  readonly headers: readonly Header[]
  readonly body?: string | Buffer
}

/** The value of a response header; `name` in lower case. */
export function headerOf(reply: Reply, name: string): string | undefined {
  return reply.headers.find(([found]) => found.toLowerCase() === name)?.[1]
}
