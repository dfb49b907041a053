import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs'

import type { Settings } from '../config.ts'
import type { Gateway } from '../app.ts'

/**
 * Begins to listen where the settings say.
 *
 * @returns the address to call, for people: `http://127.0.0.1:8080`, `unix:/run/gateway.sock`
 */
export async function listen({ app }: Gateway, { host, port }: Pick<Settings, 'host' | 'port'>): Promise<string> {
  if (!host.startsWith('unix:')) return app.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port })
  const path = host.slice('unix:'.length)
  // What a gateway that was killed left behind; any other kind of file is somebody's.
  if (existsSync(path) && lstatSync(path).isSocket()) unlinkSync(path)
  await app.listen({ path })
  chmodSync(path, 0o660)
  return host
}
