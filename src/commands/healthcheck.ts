import { connect } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'

import type { Settings } from '../config/schema.ts'
import type { Writer } from './command-io.ts'

const TIMEOUT_MS = 2000
/** The gateway always accepts `localhost` as its own name. */
const REQUEST = 'GET /-/readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const READY = /^HTTP\/1\.1 200 /

/**
 * Asks a running gateway whether it is ready, for images without a shell. It runs every few seconds, so it uses a plain
 * socket: loading Node's HTTP client would take longer than the request.
 *
 * @param stderr gets the reason if it is not; Docker and Kubernetes show it
 * @returns 0 if it is ready, 1 if it is not or does not answer within two seconds
 */
export async function healthcheck(
  listener: Pick<Settings, 'host' | 'port' | 'tls'>,
  stderr: Writer = process.stderr,
): Promise<number> {
  const failure = failureOf(await firstLine(await open(listener)))
  if (failure === undefined) return 0
  const { host, port } = listener
  stderr.write(`The gateway at ${host.startsWith('unix:') ? host : `${host}, port ${port},`} ${failure}.\n`)
  return 1
}

function failureOf(line: string | Error): string | undefined {
  if (line instanceof Error) return `cannot be reached: ${line.message}`
  if (READY.test(line)) return undefined
  return line === '' ? 'did not answer' : `is not ready: it answered ${JSON.stringify(line.trimEnd())}`
}

/** The first line of the response, or what arrived of it within two seconds. */
function firstLine(socket: Socket): Promise<string | Error> {
  return new Promise((resolve) => {
    let head = ''
    const end = (error?: unknown): void => {
      resolve(error instanceof Error ? error : head.split('\n', 1)[0]!)
      socket.destroy()
    }
    socket.setEncoding('latin1').setTimeout(TIMEOUT_MS, end)
    socket.on('data', (chunk: string) => {
      head += chunk
      if (head.includes('\n')) end()
    })
    socket.on('error', end).on('close', () => end())
    socket.write(REQUEST)
  })
}

/** Connects without verifying the certificate: it has the names that callers use, not this address. */
async function open({ host, port, tls }: Pick<Settings, 'host' | 'port' | 'tls'>): Promise<Socket> {
  const where: NetConnectOpts = host.startsWith('unix:')
    ? { path: host.slice('unix:'.length) }
    : { host: reachable(host), port }
  if (tls === undefined) return connect(where)
  const secure = await import('node:tls')
  return secure.connect({ ...where, rejectUnauthorized: false })
}

/** The address to connect to. A wildcard address becomes loopback. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : /^\[?::\]?$/.test(host) ? '::1' : host.replace(/^\[(.*)\]$/, '$1')
}
