/** OData control information with a URL as its value, by the name after its `@`, in both spellings. */
export const LINK_ANNOTATIONS: ReadonlySet<string> = new Set(
  [
    'context',
    'id',
    'nextLink',
    'deltaLink',
    'editLink',
    'readLink',
    'navigationLink',
    'associationLink',
    'mediaReadLink',
    'mediaEditLink',
  ].flatMap((name) => [`odata.${name}`, name]),
)

/** The same in requests, which may also bind rows by their URLs. */
export const INBOUND_LINK_ANNOTATIONS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS, 'odata.bind', 'bind'])

/** Length of the longest of these names. */
export const MAX_LINK_ANNOTATION_LENGTH = 'odata.associationLink'.length

/** Whether the header `name` (in lower case) is a link, in responses and their parts, or in requests. */
export function isLinkHeader(name: string): boolean {
  return LINK_HEADERS.test(name)
}

const LINK_HEADERS =
  /^(?:link|content-base)$|(?:^|-)(?:location|entityid|asyncoperation|redirect|sourcemap|ur[il]|link)$/

/** Length of the longest of these names in a batch, plus one. */
export const MAX_LINK_HEADER_LENGTH = 'azure-asyncoperation'.length + 1
