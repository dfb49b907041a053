/** The ports of the run: the service, the same with the delays of the Internet, the small node process behind both, the proxy. */
export const ports = { service: 18_443, far: 18_444, small: 18_445, proxy: 18_450 } as const

export const origin = `https://localhost:${ports.service}`
export const root = '/api/data/v9.2'
export const tenant = '11111111-1111-4111-8111-111111111111'

/** How long the far service takes, in milliseconds. */
export const far = { origin: `https://localhost:${ports.far}`, entra: 30, dynamics: 40 } as const
