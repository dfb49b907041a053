import { decodedQuery } from './decoded-query.ts'
import { fetchedEntities } from './fetch-xml.ts'

/** What a page of FetchXML says of the next one, in its annotations. */
export interface FetchXmlAnnotations {
  /** `@Microsoft.Dynamics.CRM.morerecords`. */
  readonly moreRecords: boolean
  /** `@Microsoft.Dynamics.CRM.fetchxmlpagingcookie`; left out where the order of the rows allows no cookie. */
  readonly cookie: string | undefined
}

/**
 * The path and query of the next page of FetchXML: the same `fetchXml` with another page number and paging cookie. The
 * Web API gives no link to it.
 *
 * @param path of the page before
 * @returns `undefined` when there is no next page, or the query names no FetchXML that can be read
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results
 */
export function nextFetchXmlPage(path: string, { moreRecords, cookie }: FetchXmlAnnotations): string | undefined {
  if (!moreRecords) return undefined
  const [, before = '', encoded] = OPTION.exec(path) ?? []
  if (encoded === undefined) return undefined
  const xml = decodedQuery(encoded)
  const [tag, attributes = ''] = (xml !== undefined && fetchedEntities(xml) !== undefined && FETCH.exec(xml)) || []
  if (xml === undefined || tag === undefined) return undefined

  const page = Number(attribute(cookie ?? '', 'pagenumber') ?? Number(attribute(attributes, 'page') ?? 1) + 1)
  // The cookie is encoded twice within its annotation.
  const inner = decodedQuery(decodedQuery(attribute(cookie ?? '', 'pagingcookie') ?? '') ?? '') ?? ''
  const otherAttributes = attributes.replaceAll(/\s(?:page|paging-cookie)\s*=\s*(?:"[^"]*"|'[^']*')/gi, '')
  const place = inner === '' ? ` page="${page}"` : ` page="${page}" paging-cookie="${escaped(inner)}"`
  const next = xml.replace(tag, () => `<fetch${place}${otherAttributes}>`)
  return before + encodeURIComponent(next) + path.slice(before.length + encoded.length)
}

/** Whether a query names FetchXML, itself or by a view. Its pages have no links. */
export function hasFetchXml(query: string): boolean {
  return query.split(/[?&]/).some((option) => NAMES.has(String(decodedQuery(option.split('=', 1)[0]!)).toLowerCase()))
}

const NAMES: ReadonlySet<string> = new Set(['fetchxml', 'savedquery', 'userquery'])

/** All up to the value of the option, and the value. */
const OPTION = /^([^?]*\?(?:[^&]*&)*?fetchXml=)([^&]*)/i

/** The opening tag, with its attributes. */
const FETCH = /^\s*<fetch((?:\s+[\w-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*>/i

function attribute(text: string, name: string): string | undefined {
  const [, double, single] = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(text) ?? []
  return double ?? single
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
