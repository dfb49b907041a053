import type { Row } from '../dataverse/rows.ts'

/** Name and value of a header, as it goes on the wire. */
export type Header = readonly [name: string, value: string]

/** Who a request runs as. */
export interface Identity {
  /** The row of the user whose rights count and who owns what is created. */
  readonly user: Row
  /** The row of the application user, when it acts for `user`. */
  readonly onBehalfOf: Row | undefined
}

/** One request to Dataverse, whether it came by itself or as a part of a `$batch`. */
export interface Operation {
  readonly method: string
  /** Path and query, byte for byte as they came. */
  readonly target: string
  /** Scheme and host that the caller used, which every absolute URL of the answer repeats. */
  readonly origin: string
  /** By lower-case name; repeated headers joined with a comma. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly identity: Identity
  /** Entities created earlier in the same change set, by Content-ID, as `accounts(<guid>)`. */
  readonly references?: Map<string, string>
}

/** The answer to one operation. */
export interface Reply {
  readonly status: number
  readonly headers: readonly Header[]
  readonly body?: string | Buffer
}

/** The value of a header in an answer, whatever the case of its name. */
export function headerOf(reply: Reply, name: string): string | undefined {
  return reply.headers.find(([found]) => found.toLowerCase() === name)?.[1]
}
