import { createServer } from 'node:net'

/**
 * The ports of the run: the service, the same with the delays of the Internet, the small node process behind
 * both, the proxy.
 */
export const ports = await freePorts(18_443)

export const origin = `https://localhost:${ports.service}`
export const root = '/api/data/v9.2'
export const tenant = '11111111-1111-4111-8111-111111111111'

/** How long the far service takes, in milliseconds. */
export const far = { origin: `https://localhost:${ports.far}`, entra: 30, dynamics: 40 } as const

/** Four free ports: another run may be in progress. */
async function freePorts(
  first: number,
): Promise<{ readonly service: number; readonly far: number; readonly small: number; readonly proxy: number }> {
  const [service, far, small, proxy] = [first, first + 1, first + 2, first + 7]
  const free = await Promise.all([service, far, small, proxy].map(isFree))
  return free.every(Boolean) ? { service, far, small, proxy } : freePorts(first + 10)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
