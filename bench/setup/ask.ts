import { request } from 'node:http'
import { request as secureRequest } from 'node:https'

import { sleep } from './machine.ts'

export interface Asked {
  readonly status: number
  readonly body: string
}

export interface AskOptions {
  readonly tls?: boolean
  /** How long to retry while the port is closed or the response is an error, in milliseconds. */
  readonly retryForMs?: number
}

/** Sends one request on its own connection, to check what is measured. */
export async function ask(
  port: number,
  path: string,
  headers: Record<string, string>,
  { tls = false, retryForMs: patience = 0 }: AskOptions = {},
): Promise<Asked> {
  const end = performance.now() + patience
  for (;;) {
    const asked = await sendOnce(port, path, headers, tls).catch((error: Error) => error)
    if (!(asked instanceof Error) && (asked.status < 400 || performance.now() > end)) return asked
    if (performance.now() > end) throw asked instanceof Error ? asked : new Error(`answered ${asked.status}`)
    await sleep(2)
  }
}

function sendOnce(port: number, path: string, headers: Record<string, string>, tls: boolean): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const send = tls ? secureRequest : request
    // The service's certificate was made for this run.
    send({ host: '127.0.0.1', port, path, headers, agent: false, rejectUnauthorized: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}
