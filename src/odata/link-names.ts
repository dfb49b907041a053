/** Control information of OData whose value is a URL, by what follows its `@`, in both spellings. */
export const LINK_ANNOTATIONS: ReadonlySet<string> = new Set([
  'context', 'id', 'nextLink', 'deltaLink', 'editLink', 'readLink', 'navigationLink', 'associationLink',
  'mediaReadLink', 'mediaEditLink',
].flatMap((name) => [`odata.${name}`, name]))

/** The same in what callers send, who may also bind rows to a row by their URLs. */
export const INBOUND_LINK_ANNOTATIONS: ReadonlySet<string> = new Set([...LINK_ANNOTATIONS, 'odata.bind', 'bind'])

/** Length of the longest of these names. */
export const LONGEST_LINK_ANNOTATION = 'odata.associationLink'.length

/** Headers whose value is a URL, in lower case: in answers, in their parts, and in requests that repeat them. */
export const LINK_HEADERS: ReadonlySet<string> = new Set(['location', 'content-location', 'odata-entityid'])
