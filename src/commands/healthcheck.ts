import { connect } from 'node:net'
import type { NetConnectOpts, Socket } from 'node:net'

import type { Settings } from '../config/schema.ts'

const TIMEOUT_MS = 2000
/** `localhost` is always a name of the gateway's own. */
const REQUEST = 'GET /-/readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const READY = /^HTTP\/1\.1 200 /

/**
 * Asks a running gateway whether it is ready; for images without a shell. An image asks all the time, so it takes a bare
 * socket: to load Node's HTTP client takes longer than to ask.
 *
 * @returns 0 when it is, 1 when it is not or does not answer within two seconds
 */
export async function healthcheck(listener: Pick<Settings, 'host' | 'port' | 'tls'>): Promise<number> {
  const socket = await open(listener)
  return new Promise((resolve) => {
    let head = ''
    const end = (): void => {
      resolve(READY.test(head) ? 0 : 1)
      socket.destroy()
    }
    socket.setEncoding('latin1').setTimeout(TIMEOUT_MS, end)
    socket.on('data', (chunk: string) => {
      head += chunk
      if (head.includes('\n')) end()
    })
    socket.on('error', end).on('close', end)
    socket.write(REQUEST)
  })
}

/** The certificate is the gateway's own, for the names that its callers use; here it is asked by its address. */
async function open({ host, port, tls }: Pick<Settings, 'host' | 'port' | 'tls'>): Promise<Socket> {
  const where: NetConnectOpts = host.startsWith('unix:')
    ? { path: host.slice('unix:'.length) }
    : { host: reachable(host), port }
  if (tls === undefined) return connect(where)
  const secure = await import('node:tls')
  return secure.connect({ ...where, rejectUnauthorized: false })
}

/** A wildcard address is asked at loopback. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : /^\[?::\]?$/.test(host) ? '::1' : host.replace(/^\[(.*)\]$/, '$1')
}
