import { OwnError } from '../logging/own-error.ts'
import type { OutboundAgent } from './agent.ts'

/** Reads a JSON document. Throws if it is not available. */
export type ReadJson = (url: string) => Promise<unknown>

/** Reads small documents through `agent`, without following redirects. */
export function jsonReader(agent: OutboundAgent['reads']): ReadJson {
  return async (url) => {
    const { origin, pathname, search } = new URL(url)
    const { statusCode, body } = await agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      idempotent: true,
    })
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_DOCUMENT_BYTES)
        throw new OwnError(`The document at ${url} is larger than ${MAX_DOCUMENT_BYTES} bytes.`)
      chunks.push(chunk)
    }
    if (statusCode !== 200) throw new OwnError(`${url} was answered with status ${statusCode}.`)
    return JSON.parse(Buffer.concat(chunks).toString())
  }
}

const TIMEOUT_MS = 5000
const MAX_DOCUMENT_BYTES = 1024 * 1024
