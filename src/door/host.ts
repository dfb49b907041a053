import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

import type { Settings } from '../config/schema.ts'
import { BadRequest, HostNotAllowed } from '../errors.ts'
import { cachedByText } from '../odata/cached-by-text.ts'
import { isLoopbackHost } from '../odata/loopback.ts'

/**
 * Refuses requests with a host name that is not the gateway's: a page on the Internet
 * whose name is made to point here (DNS rebinding) sends that name in `Host`.
 */
function host(app: FastifyInstance, settings: HostSettings, registered: () => void): void {
  const verdict = hostVerdict(settings)
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.head.host === undefined && settings.hostless === true) return done()
    switch (verdict(request)) {
      case 'own':
        return done()
      case 'foreign':
        return done(new HostNotAllowed())
      case 'unreadable':
        return done(new BadRequest(NO_HOST))
    }
  })
  registered()
}

export default fp(host, { name: 'host', fastify: '5.x', dependencies: ['head'] })

type HostSettings = Pick<Settings, 'host' | 'allowedHosts' | 'publicUrl'> & {
  /** Lets requests without a host pass, as simple probes send them. Browsers always send one. */
  readonly hostless?: boolean
}

/** Creates the function that checks whether a request's host name is one of the gateway's. */
export function ownHost(settings: HostSettings): (request: Called) => boolean {
  const verdict = hostVerdict(settings)
  return (request) => verdict(request) === 'own'
}

/** The parts of a request that determine its host name. */
type Called = Pick<FastifyRequest, 'head' | 'raw'>

function hostVerdict(settings: HostSettings): (request: Called) => 'own' | 'foreign' | 'unreadable' {
  const allowed = new Set(settings.allowedHosts.map((name) => name.toLowerCase()))
  if (settings.publicUrl !== undefined) allowed.add(new URL(settings.publicUrl).hostname)
  // No browser can open a Unix socket, and clients send any host for it, or none.
  const unixSocket = settings.host.startsWith('unix:')
  const hostOf = cachedByText((written): { readonly name?: string; readonly isOwn: boolean } => {
    const called = readHost(written)
    if (called === undefined) return { isOwn: false }
    const { name, port } = called
    return { name, isOwn: isLocalName(name) || allowed.has(name) || allowed.has(`${name}:${port}`) }
  })
  return ({ head, raw: { socket } }) => {
    if (unixSocket && socket.localAddress === undefined) return 'own'
    const { name, isOwn } = hostOf(head.host ?? '')
    if (name === undefined) return 'unreadable'
    return isOwn || isAddress(name, socket.localAddress) ? 'own' : 'foreign'
  }
}

const NO_HOST = 'The request must have exactly one Host header: a host name, and a port if needed.'

/** The parts of a Host header, the name in lower case; `undefined` when it is malformed. */
export function readHost(written: string): { readonly name: string; readonly port: string } | undefined {
  const [, name, port = ''] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{0,5}))?$/i.exec(written) ?? []
  if (name === undefined || Number(port) > 65_535) return undefined
  return { name: name.toLowerCase(), port }
}

/** Whether `name` is a loopback address in its plain form, or a name that public DNS cannot hold. */
export function isLocalName(name: string): boolean {
  if (isLoopbackHost(name)) return true
  // Browsers treat a name that ends in a number, even a hexadecimal one, as an address.
  if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/.test(name)) return false
  if (/^[a-z0-9_-]+$/.test(name)) return true
  return /^(?:[a-z0-9_-]+\.)+(?:localhost|local|internal|svc|cluster\.local|home\.arpa)\.?$/.test(name)
}

/** Whether `name`, as a Host header has it, is the address that the connection came in on. */
export function isAddress(name: string, localAddress: string | undefined): boolean {
  if (localAddress === undefined) return false
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase()
  return name === (address.includes(':') ? `[${address}]` : address)
}
