import { existsSync } from 'node:fs'

import { healthcheck } from './healthcheck.ts'

/**
 * Runs `healthcheck` without loading the gateway, if HOST and PORT are sufficient. With a settings file, `.env`, an
 * option or an unusual value, the gateway must run the command.
 *
 * @returns the exit status, or `undefined` if the gateway must read its settings
 */
export function quickHealthcheck(
  words: readonly string[],
  env: NodeJS.Dict<string>,
  folder: string = process.cwd(),
): Promise<number> | undefined {
  const { HOST: host = '', PORT: port = '', GATEWAY_CONFIG: config = '' } = env
  const isPlain =
    words.length === 1 &&
    words[0] === 'healthcheck' &&
    config === '' &&
    !existsSync(`${folder}/.env`) &&
    /^(?:[\w.:-]*|unix:\/[\w./-]+)$/.test(host) &&
    /^(?:[1-9]\d{0,3}|[1-5]\d{4}|)$/.test(port)
  if (!isPlain) return undefined
  return healthcheck({ host: host || '127.0.0.1', port: Number(port || '8080'), tls: undefined })
}
