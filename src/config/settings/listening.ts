import { listenAddress } from '../addresses.ts'
import { optionalNumber, parsed, wholeNumber } from '../values.ts'

/** The address of the gateway. */
export const listening = {
  host: parsed(
    {
      restart: true,
      description: 'The address to listen at, or `unix:/path.sock`.',
      env: 'HOST',
      fallback: '127.0.0.1',
      hint: 'an address such as 127.0.0.1, or unix:/run/gateway.sock',
    },
    listenAddress,
  ),
  port: wholeNumber({
    restart: true,
    description: 'The port to listen at; 0 for any that is free.',
    env: 'PORT',
    fallback: 8080,
    minimum: 0,
    maximum: 65535,
  }),
  metricsHost: parsed(
    {
      restart: true,
      description:
        'The address of a second listener, which serves `/-/livez`, `/-/readyz` and `/-/metrics` only, to anyone who ' +
        'reaches it. Applies when METRICS_PORT is set.',
      env: 'METRICS_HOST',
      fallback: '127.0.0.1',
      hint: 'an address such as 0.0.0.0',
    },
    listenAddress,
  ),
  metricsPort: optionalNumber({
    restart: true,
    description: 'The port of that listener. Default: no second listener.',
    env: 'METRICS_PORT',
    minimum: 0,
    maximum: 65535,
  }),
}
