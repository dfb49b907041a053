import { request } from 'node:http'
import { request as secureRequest } from 'node:https'

import type { Settings } from '../config.ts'

/**
 * Asks a running gateway whether it is ready; for images without a shell.
 *
 * @returns 0 when it is, 1 when it is not or does not answer within two seconds
 */
export function healthcheck({ host, port, tls }: Pick<Settings, 'host' | 'port' | 'tls'>): Promise<number> {
  const where = host.startsWith('unix:') ? { socketPath: host.slice('unix:'.length) } : { host: reachable(host), port }
  return new Promise((resolve) => {
    // The certificate is the gateway's own, for the names that its callers use; here it is asked by its address.
    const ask = tls === undefined ? request : secureRequest
    // No agent: Node's own goes through HTTP_PROXY where NODE_USE_ENV_PROXY is set.
    const asked = ask({ ...where, agent: false, path: '/-/readyz', timeout: 2000, rejectUnauthorized: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200 ? 0 : 1)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer'))).on('error', () => resolve(1)).end()
  })
}

/** An address that stands for all of the machine's is asked at loopback. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : /^\[?::\]?$/.test(host) ? '::1' : host.replace(/^\[(.*)\]$/, '$1')
}
