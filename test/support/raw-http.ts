import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, NetConnectOpts } from 'node:net'

/** The response to bytes written to a socket. */
export interface RawAnswer {
  /** 0 if the connection was closed without a response. */
  readonly status: number
  readonly code: string | undefined
  readonly head: string
  readonly body: string
}

/** Writes `bytes` (latin1) unchanged to `to`, and reads until the other side closes. */
export function rawRequest(to: Server | NetConnectOpts, bytes: string): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const received: Buffer[] = []
    const socket = connect(
      'port' in to || 'path' in to
        ? (to as NetConnectOpts)
        : {
            port: ((to as Server).address() as AddressInfo).port,
            host: '127.0.0.1',
          },
    )
    socket.on('connect', () => socket.write(bytes, 'latin1'))
    socket.on('data', (chunk) => received.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      const [head = '', ...rest] = Buffer.concat(received).toString('latin1').split('\r\n\r\n')
      const body = rest.join('\r\n\r\n')
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
        code: /"code":"([^"]*)"/.exec(body)?.[1],
        head,
        body,
      })
    })
  })
}

/** A request head with `lines`, `Connection: close`, and a Host unless `lines` have one. */
export function get(target: string, ...lines: string[]): string {
  return requestOf(`GET ${target}`, ...lines)
}

/** Like {@link get}, with the method before the target, and a body after an empty line. */
export function requestOf(methodAndTarget: string, ...lines: string[]): string {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ['Host: localhost']
  return [`${methodAndTarget} HTTP/1.1`, ...host, 'Connection: close', ...lines, '', ''].join('\r\n')
}
