import { duration, size, wholeNumber } from '../values.ts'

/** Limits of what is sent to Dynamics and Entra: waits, concurrent requests, and bodies that can be sent again. */
export const sendingLimits = {
  maxRetryWait: duration({
    description: "The longest total wait for Dynamics' service protection limits before the 429 is passed on.",
    env: 'MAX_RETRY_WAIT',
    fallback: '10s',
  }),
  requestTimeout: duration({
    description:
      'The longest wait for the head of a response of Dynamics. Dynamics itself ends a request after two minutes.',
    env: 'REQUEST_TIMEOUT',
    fallback: '125s',
    minimum: 1,
  }),
  connectTimeout: duration({
    restart: true,
    description: 'The longest wait for a connection to Dynamics or Entra.',
    env: 'CONNECT_TIMEOUT',
    fallback: '5s',
    minimum: 1,
  }),
  idleTimeout: duration({
    description: 'The longest pause within the body of a response of Dynamics.',
    env: 'IDLE_TIMEOUT',
    fallback: '60s',
    minimum: 1,
  }),
  totalTimeout: duration({
    description: 'Maximum duration of one request, including the bodies of the request and the response.',
    env: 'TOTAL_TIMEOUT',
    fallback: '1h',
    minimum: 1,
  }),
  tokenTimeout: duration({
    description: 'The longest wait for Entra.',
    env: 'TOKEN_TIMEOUT',
    fallback: '5s',
    minimum: 1,
  }),
  concurrency: wholeNumber({
    description: 'Maximum concurrent requests to Dynamics. The gateway measures how many are useful.',
    env: 'MAX_CONCURRENCY',
    fallback: 52,
    minimum: 1,
    maximum: 1000,
  }),
  queue: wholeNumber({
    description: 'Maximum number of requests that wait in the queue.',
    env: 'MAX_QUEUE',
    fallback: 1000,
    minimum: 0,
    maximum: 100_000,
  }),
  keepBody: size({
    description:
      'Bodies up to this size are buffered until the response, so that they can be sent again; ' +
      'larger ones are sent once.',
    fallback: '1MiB',
  }),
}
