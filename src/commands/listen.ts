import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs'

import type { Settings } from '../config.ts'
import type { Gateway } from '../app.ts'
import { SettingsFault } from '../config/load.ts'

/** What is wrong with an address that the system does not give, by the system's code. */
const MENDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use already, perhaps by another gateway: end that one, or set PORT to a port that is free',
  EACCES: 'may not be used by this user: set PORT to one from 1024 on, or mend the permissions of the folder',
  EADDRNOTAVAIL: 'is no address of this machine: set HOST to 127.0.0.1, or to one that it has',
  ENOTFOUND: 'is a name that cannot be resolved: set HOST to an address such as 127.0.0.1',
  ENOENT: 'lies in a folder that does not exist: make the folder, or mend HOST',
}

/**
 * Begins to listen where the settings say.
 *
 * @returns the address to call, for people: `http://127.0.0.1:8080`, `unix:/run/gateway.sock`
 * @throws {SettingsFault} when the system does not give the address
 */
export async function listen({ app }: Gateway, { host, port }: Pick<Settings, 'host' | 'port'>): Promise<string> {
  try {
    return await open(app, host, port)
  } catch (error) {
    const mend = MENDS[(error as NodeJS.ErrnoException).code ?? '']
    if (mend === undefined) throw error
    throw new SettingsFault([`${host.startsWith('unix:') ? host : `${host}, port ${port},`} ${mend}.`])
  }
}

async function open(app: Gateway['app'], host: string, port: number): Promise<string> {
  if (!host.startsWith('unix:')) return app.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port })
  const path = host.slice('unix:'.length)
  // What a gateway that was killed left behind; any other kind of file is somebody's.
  if (existsSync(path) && lstatSync(path).isSocket()) unlinkSync(path)
  await app.listen({ path })
  chmodSync(path, 0o660)
  return host
}
