import { duration } from '../values.ts'

/** How the gateway stops. */
export const shutdown = {
  shutdownTimeout: duration({
    restart: true,
    description: 'How long running requests may take to finish when the gateway stops.',
    env: 'SHUTDOWN_TIMEOUT',
    fallback: '25s',
  }),
  shutdownDelay: duration({
    restart: true,
    description:
      'After SIGTERM: how long the gateway still accepts and serves requests, though it is not ready, so that load ' +
      'balancers notice.',
    env: 'SHUTDOWN_DELAY',
    fallback: '300ms',
  }),
}
