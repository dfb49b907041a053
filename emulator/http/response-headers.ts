import { randomBytes, randomUUID } from 'node:crypto'

import type { Header, Reply } from './operation.ts'

/** The headers of `reply` and all others that Dataverse sends, including duplicates. */
export function serviceHeaders(
  reply: Reply,
  host: string,
  remaining: number,
  parallelism: number | undefined,
): readonly Header[] {
  const id = randomUUID()
  const cookie = `path=/; secure; HttpOnly`
  return [
    ['Cache-Control', 'no-cache'],
    ['Allow', 'OPTIONS,GET,HEAD,POST'],
    ['Expires', '-1'],
    ['Vary', 'Accept-Encoding'],
    ['x-ms-service-request-id', id],
    ['x-ms-service-request-id', randomUUID()],
    ['Set-Cookie', `ARRAffinity=${randomBytes(32).toString('hex')}; domain=${host}; ${cookie}`],
    ['Set-Cookie', `ReqClientId=${randomUUID()}; expires=Fri, 01-Jan-2100 00:00:00 GMT; ${cookie}`],
    ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
    ['REQ_ID', id],
    ['CRM.ServiceId', 'framework'],
    ['AuthActivityId', randomUUID()],
    ...(parallelism === undefined ? [] : [['x-ms-dop-hint', String(parallelism)] as const]),
    ['x-ms-ratelimit-time-remaining-xrm-requests', '1,200.00'],
    ['x-ms-ratelimit-burst-remaining-xrm-requests', String(remaining)],
    ['OData-Version', '4.0'],
    ['X-Source', randomBytes(16).toString('hex')],
    ['X-Source', randomBytes(16).toString('hex')],
    ['Public', 'OPTIONS,GET,HEAD,POST'],
    ['Access-Control-Allow-Origin', '*'],
    [
      'Access-Control-Expose-Headers',
      'Preference-Applied,OData-EntityId,Location,ETag,OData-Version,Content-Encoding,' +
        'Transfer-Encoding,Content-Length,Retry-After',
    ],
    ...reply.headers,
  ]
}
