/**
 * URLs of Dynamics 365 become URLs of the gateway in what goes out to a caller, and the gateway's own become URLs of
 * Dynamics 365 in what comes in: in headers, queries and JSON bodies as they stream. This file gathers the parts.
 */
export { requestLinks as jsonLinksInward } from './request-links.ts'
export { responseLinks as jsonLinksOutward, type ResponseLinkOptions as OutwardOptions } from './response-links.ts'
export { objectLinksInward } from './object-links.ts'
export { requestQuery as queryInward } from './request-query.ts'
export {
  type AddressForm,
  addressForm,
  upstreamPath as pathInward,
  type TargetAddress,
  targetAddress,
} from './target-address.ts'
export { textOf, type TextTransform, rewriteChunk as turned, rewriteComplete as turnedWhole } from './text-transform.ts'
export { type GatewayAddress, upstreamUrl as inwardHeader, type UrlMap, urlMap } from './url-map.ts'
