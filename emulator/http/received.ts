import type { IncomingMessage } from 'node:http'

/** A request as it came in. */
export interface ReceivedRequest {
  readonly method: string
  /** The request target, byte for byte. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  /** By lower-case name; repeated headers joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  /** The first 1 MiB of the body, as far as it has come. */
  readonly body: Buffer
  /** Bytes of the whole body, as far as they have come. */
  readonly bodyLength: number
  /** Milliseconds since 1970 at which the head came in. */
  readonly at: number
  /** Status of the answer; `undefined` while there is none. */
  readonly status: number | undefined
  /** Whether the connection was closed before the answer was whole. */
  readonly aborted: boolean
}

/** A list of the last requests, and a way to read their bodies. */
export interface Log {
  readonly requests: ReceivedRequest[]
  note(message: IncomingMessage): Noted
}

/** One request while it is being answered. */
export interface Noted {
  readonly headers: ReadonlyMap<string, string>
  /** The whole body; rejects when the caller breaks off. */
  body(): Promise<Buffer>
  answered(status: number): void
  aborted(): void
}

const most = 1000
const kept = 1024 * 1024

/** A list that keeps the last thousand requests. */
export function createLog(): Log {
  const requests: ReceivedRequest[] = []
  return {
    requests,
    note(message) {
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
      if (requests.length > most) requests.shift()
      return {
        headers,
        async body() {
          const chunks: Buffer[] = []
          for await (const chunk of message as AsyncIterable<Buffer>) {
            chunks.push(chunk)
            if (entry.bodyLength < kept) entry.body = Buffer.concat([entry.body, chunk]).subarray(0, kept)
            entry.bodyLength += chunk.length
          }
          return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
        },
        answered: (status) => void (entry.status = status),
        aborted: () => void (entry.aborted = true),
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
