import { existsSync, lstatSync, unlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { Server as SecureServer } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo, ListenOptions } from 'node:net'

import type { Settings } from '../config/schema.ts'
import { SettingsError } from '../config/settings-error.ts'

/** Why the system refuses an address and port, by error code. */
const PORT_FIXES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use, perhaps by another gateway: stop it, or change PORT (or HOST)',
  EACCES: 'may not be used by this user: set PORT to 1024 or above',
  EADDRNOTAVAIL: 'is not an address of this machine: set HOST to 127.0.0.1, or to one of its addresses',
  ENOTFOUND: 'cannot be resolved: set HOST to an address such as 127.0.0.1',
}

/** The same for a Unix socket. */
const SOCKET_FIXES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use, perhaps by another gateway: stop it, or set HOST to another path',
  EACCES: 'cannot be created by this user: fix the permissions of its folder, or set HOST to another path',
  EROFS: 'is in a read-only file system: set HOST to another path',
  ENOENT: 'is in a folder that does not exist: create the folder, or correct HOST',
  ENOTDIR: 'is in a folder that does not exist: create the folder, or correct HOST',
}

/**
 * Starts to listen at the address in the settings.
 *
 * @returns the address to call, for people: `http://127.0.0.1:8080`, `unix:/run/gateway.sock`
 * @param variables what the names of the variables begin with that say so
 * @throws {SettingsError} when the system refuses the address
 */
export async function listen(
  server: Server,
  { host, port }: Pick<Settings, 'host' | 'port'>,
  variables: '' | 'METRICS_' = '',
): Promise<string> {
  try {
    return await open(server, host, port)
  } catch (error) {
    const fault = faultOf(error, host, port)
    throw fault === undefined ? error : new SettingsError([fault.replace(/\b(?=(?:HOST|PORT)\b)/g, variables)])
  }
}

/**
 * The error that prevents a gateway from listening at an address and port; `undefined` if it could listen. A port in use
 * is not an error, because the gateway with these settings may already run. So an unprivileged port is not tried, only
 * the address. Unix sockets are checked when the settings are read.
 */
export async function listenFault({ host, port }: Pick<Settings, 'host' | 'port'>): Promise<string | undefined> {
  if (host.startsWith('unix:')) return undefined
  const server = createServer()
  const error = await open(server, host, port < FIRST_UNPRIVILEGED_PORT ? port : 0).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  )
  server.close()
  return error === undefined || error.code === 'EADDRINUSE' ? undefined : faultOf(error, host, port)
}

/** The first unprivileged port, unless the system is configured otherwise. */
const FIRST_UNPRIVILEGED_PORT = 1024

function faultOf(error: unknown, host: string, port: number): string | undefined {
  const isSocket = host.startsWith('unix:')
  const fix = (isSocket ? SOCKET_FIXES : PORT_FIXES)[String((error as NodeJS.ErrnoException).code)]
  return fix === undefined ? undefined : `${isSocket ? host : `${host}, port ${port},`} ${fix}.`
}

async function open(server: Server, host: string, port: number): Promise<string> {
  if (!host.startsWith('unix:')) {
    await bound(server, { host: host.replace(/^\[(.*)\]$/, '$1'), port })
    return originOf(server.address() as AddressInfo, server instanceof SecureServer ? 'https' : 'http')
  }
  const path = host.slice('unix:'.length)
  // A socket left by a killed gateway. Any other kind of file is kept.
  if (existsSync(path) && lstatSync(path).isSocket()) {
    if (await isAlive(path)) throw Object.assign(new Error('somebody listens there'), { code: 'EADDRINUSE' })
    unlinkSync(path)
  }
  // The socket is created with its permissions, so that others can never connect.
  const before = process.umask(0o117)
  try {
    await bound(server, { path })
  } finally {
    process.umask(before)
  }
  return host
}

/**
 * `address` as programs on this machine call it: a gateway that listens on all addresses is reached on loopback, and
 * does not accept `0.0.0.0` as its host name.
 */
export function localAddress(address: string): string {
  return address.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, '//127.0.0.1')
}

/** `http://127.0.0.1:8080`, `http://[::1]:8080` */
export function originOf({ address, family, port }: AddressInfo, scheme: 'http' | 'https'): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/**
 * Whether a process listens at the socket. A gateway that ends later would remove the socket of the one that
 * took its place.
 */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })
}

/**
 * How many connections may wait to be accepted: as many as Linux allows by default. With Node's 511, a burst of more
 * callers waits a second or longer, because the system drops their first packets.
 */
const BACKLOG = 4096

function bound(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
