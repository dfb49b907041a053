/**
 * The header lines of a real response of Dataverse to a GET, without `Content-Length`, `Content-Type` and `Date`. A
 * service with fewer headers makes every proxy in Node look a third cheaper.
 */
export const dataverseHead: readonly (readonly [string, string])[] = [
  ['Cache-Control', 'no-cache'],
  ['Allow', 'OPTIONS,GET,HEAD,POST'],
  ['Expires', '-1'],
  ['Vary', 'Accept,Accept-Encoding'],
  ['OData-Version', '4.0'],
  ['x-ms-service-request-id', '7f1c3a52-97fe-4b0e-8a0e-0f1a35d7c0aa'],
  ['x-ms-ratelimit-time-remaining-xrm-requests', '1,200.00'],
  ['x-ms-ratelimit-burst-remaining-xrm-requests', '5999'],
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
  ['REQ_ID', '7f1c3a52-97fe-4b0e-8a0e-0f1a35d7c0aa'],
  ['Set-Cookie', 'ARRAffinity=3b8c0e5d2f6a47b1a9d0c4e8f2b6a1d3; path=/; secure; HttpOnly'],
  // As many as are allowed at once, so that it limits no contender.
  ['x-ms-dop-hint', '52'],
  ['Preference-Applied', 'odata.include-annotations="*"'],
]
