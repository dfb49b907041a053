import type { IncomingMessage } from 'node:http'

/** A request as received. */
export interface ReceivedRequest {
  readonly method: string
  /** The request target, byte for byte. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  /** By lower-case name; repeated headers joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  /** The first 1 MiB of the body received so far. */
  readonly body: Buffer
  /** Bytes of the body received so far. */
  readonly bodyLength: number
  /** Milliseconds since 1970 at which the head arrived. */
  readonly at: number
  /** Status of the response; `undefined` until it is known. */
  readonly status: number | undefined
  /** Whether the connection was closed before the response was complete. */
  readonly aborted: boolean
}

/** The last requests, and a way to read their bodies. */
export interface RequestLog {
  readonly requests: ReceivedRequest[]
  record(message: IncomingMessage): RequestEntry
}

/** One request in progress. */
export interface RequestEntry {
  readonly headers: ReadonlyMap<string, string>
  /** The complete body; rejects when the caller disconnects. */
  body(): Promise<Buffer>
  setStatus(status: number): void
  setAborted(): void
}

const MAX_REQUESTS = 1000
const MAX_BODY_BYTES = 1024 * 1024

/** A log of the last thousand requests. */
export function createRequestLog(): RequestLog {
  const requests: ReceivedRequest[] = []
  return {
    requests,
    record(message) {
      const { method = '', url = '' } = message
      const headers = joined(message.rawHeaders)
      const entry = {
        method,
        url,
        rawHeaders: message.rawHeaders,
        headers: Object.fromEntries(headers),
        body: Buffer.alloc(0),
        bodyLength: 0,
        at: Date.now(),
        status: undefined as number | undefined,
        aborted: false,
      }
      requests.push(entry)
      if (requests.length > MAX_REQUESTS) requests.shift()
      return {
        headers,
        async body() {
          const chunks: Buffer[] = []
          for await (const chunk of message as AsyncIterable<Buffer>) {
            chunks.push(chunk)
            if (entry.bodyLength < MAX_BODY_BYTES)
              entry.body = Buffer.concat([entry.body, chunk]).subarray(0, MAX_BODY_BYTES)
            entry.bodyLength += chunk.length
          }
          return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
        },
        setStatus: (status) => void (entry.status = status),
        setAborted: () => void (entry.aborted = true),
      }
    },
  }
}

function joined(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at]?.toLowerCase(), rawHeaders[at + 1]]
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return headers
}
