import { duration, size, wholeNumber } from '../values.ts'

/** Limits of what callers send: bodies, times and connections. */
export const inboundLimits = {
  bodyLimit: size({ description: 'The largest body that a request may have.', env: 'BODY_LIMIT', fallback: '1GiB' }),
  headTimeout: duration({
    restart: true,
    description: 'Maximum time for the head of a request to arrive.',
    fallback: '10s',
    minimum: 100,
  }),
  bodyTimeout: duration({
    restart: true,
    description: 'The longest pause while the body of a request arrives, or while a caller reads its response.',
    fallback: '60s',
    minimum: 100,
  }),
  maxConnections: wholeNumber({
    restart: true,
    description: 'Maximum number of inbound connections.',
    env: 'MAX_CONNECTIONS',
    fallback: 4096,
    minimum: 1,
    maximum: 1_000_000,
  }),
}
