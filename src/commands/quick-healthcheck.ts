import { existsSync } from 'node:fs'

import { healthcheck } from './healthcheck.ts'

/**
 * Answers `healthcheck` before anything of the gateway is loaded, where two plain variables say all that there is to
 * know. With a settings file, with `.env`, with an option or a value that needs a closer look, it leaves the command to
 * the gateway.
 *
 * @returns the exit status, or `undefined` where the gateway has to read its settings
 */
export function quickHealthcheck(
  words: readonly string[],
  env: NodeJS.Dict<string>,
  folder: string = process.cwd(),
): Promise<number> | undefined {
  const { HOST: host = '', PORT: port = '', GATEWAY_CONFIG: config = '' } = env
  const plain =
    words.length === 1 &&
    words[0] === 'healthcheck' &&
    config === '' &&
    !existsSync(`${folder}/.env`) &&
    /^(?:[\w.:-]*|unix:\/[\w./-]+)$/.test(host) &&
    /^(?:[1-9]\d{0,3}|[1-5]\d{4}|)$/.test(port)
  if (!plain) return undefined
  return healthcheck({ host: host || '127.0.0.1', port: Number(port || '8080'), tls: undefined })
}
