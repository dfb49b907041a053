/** Control information of OData whose value is a URL, by what follows its `@`, in both spellings. */
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

/** The same in what callers send, who may also bind rows to a row by their URLs. */
export const INBOUND_LINK_ANNOTATIONS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS, 'odata.bind', 'bind'])

/** Length of the longest of these names. */
export const LONGEST_LINK_ANNOTATION = 'odata.associationLink'.length

/** Whether the header `name`, in lower case, is a link: in answers, in their parts, and in requests that repeat it. */
export function isLinkHeader(name: string): boolean {
  return LINK_HEADERS.test(name)
}

const LINK_HEADERS =
  /^(?:link|content-base)$|(?:^|-)(?:location|entityid|asyncoperation|redirect|sourcemap|ur[il]|link)$/

/** Length of the longest of these names that may stand in a batch, with a letter to spare. */
export const LONGEST_LINK_HEADER = 'azure-asyncoperation'.length + 1
