import type { ServerResponse } from 'node:http'

import { bufferResponse } from '../dynamics/buffered-response.ts'
import { decodedSink } from '../dynamics/decoded-sink.ts'
import { bodyError } from '../dynamics/explain-failures.ts'
import { guarded } from '../dynamics/guarded-sink.ts'
import { header } from '../dynamics/send.ts'
import type { UpstreamResponse, OutboundRequest, Send, Sink } from '../dynamics/send.ts'
import { NotACollection, RowTooLong } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import { MAX_BATCHED_ADDRESS_CHARACTERS } from '../odata/address-length.ts'
import { isJson } from '../odata/content-type.ts'
import { nextFetchXmlPage } from '../odata/fetch-xml-page.ts'
import { headersWithout } from '../odata/flat-headers.ts'
import { nextPagePath } from '../odata/next-page.ts'
import { MAX_ROW_BYTES, pageRows, RowOverLimit } from '../odata/page-rows.ts'
import type { PageRows } from '../odata/page-rows.ts'
import { responseLinks } from '../odata/response-links.ts'
import { rewriteChunk } from '../odata/text-transform.ts'
import { withTop } from '../odata/top.ts'
import { downstreamUrl } from '../odata/url-map.ts'
import type { UrlMap } from '../odata/url-map.ts'
import { contentCoding } from '../outbound/content-coding.ts'
import { NDJSON } from './ndjson.ts'
import { HIGH_WATER_BYTES } from './streamed-response.ts'

/** The head of the first page as that of a stream of rows, flat. */
export function rowsHead(headers: readonly string[]): string[] {
  return [...headersWithout(headers, (name) => OF_THE_PAGE.has(name)), 'content-type', NDJSON]
}

const OF_THE_PAGE: ReadonlySet<string> = new Set(['content-type', 'content-encoding', 'etag'])

/** How the rows of all pages go to the caller. */
export interface AllPages {
  /** The request for the first page. */
  readonly outbound: OutboundRequest
  readonly send: Send
  readonly map: UrlMap
  readonly raw: ServerResponse
  /** Flat, without the framing. */
  readonly headers: string[]
  /** How many rows are wanted at most. */
  readonly limit: number
  /** Answers in place of a first page that is none, while nothing has gone out yet. */
  readonly refuse: (cause: Error) => void
  /** Called with the reason when the stream is truncated. */
  readonly brokeOff: (error: Error) => void
}

/**
 * Writes each row of `first` and of the pages that follow as a line, no faster than the caller reads. The next page is
 * asked for when the last byte of the one before has come, while the caller still reads it; between the two the
 * request occupies no slot at Dynamics. Each page is a request of its own to the sending chain, which waits out limits,
 * renews tokens and retries.
 *
 * When it cannot go on, a last line says why and where to go on, and the connection ends without the end of the body.
 */
export function writeAllPages(first: UpstreamResponse, options: AllPages): void {
  const { outbound, send, map, raw, headers, limit, refuse, brokeOff } = options
  const { record, cancellation } = outbound
  let current: Sink | undefined
  let isOver = false
  raw.on('drain', () => current?.resume?.())
  read(first, outbound.path)

  function read(response: UpstreamResponse, path: string): void {
    record.pages++
    const before = record.rows
    const rows = pageRows(limit - before)
    const links = responseLinks(map)
    const fail = (error: Error): void => {
      response.body.dump()
      broken(error, { path, skip: record.rows - before })
    }
    const sink = guarded({
      resume: undefined,
      write(chunk) {
        if (isOver) return true
        const pieces = rows.push(chunk)
        if (rows.isPage() && !raw.headersSent) raw.writeHead(200, headers)
        record.rows = before + rows.rows()
        for (const piece of pieces) raw.write(rewriteChunk(links, piece), 'latin1')
        if (rows.isPage() && record.rows >= limit) {
          response.body.dump()
          end(links.end())
        }
        return raw.writableLength < HIGH_WATER_BYTES
      },
      end() {
        if (isOver) return
        rows.end()
        const rest = links.end()
        const next = nextOf(rows, path)
        if (next === undefined) return end(rest)
        raw.write(rest, 'latin1')
        // By then the page has released its slot at Dynamics, and waiting requests come first.
        queueMicrotask(() => void ask(next))
      },
      fail,
    })
    current = sink
    const coding = contentCoding(header(response, 'content-encoding'))
    if (coding === undefined) return response.body.pipeTo(sink)
    const decoded = decodedSink(coding, sink)
    response.body.onClose(() => isOver && decoded.destroy())
    response.body.pipeTo(decoded)
  }

  /** The path of the next page; `undefined` after the last. */
  function nextOf(rows: PageRows, path: string): string | undefined {
    const link = rows.member('@odata.nextLink') ?? rows.member('@nextLink')
    const moreRecords = rows.member('@Microsoft.Dynamics.CRM.morerecords') === 'true'
    if (link === undefined && !moreRecords) return undefined
    const next =
      link === undefined
        ? nextFetchXmlPage(path, {
            moreRecords,
            cookie: textOfMember(rows, '@Microsoft.Dynamics.CRM.fetchxmlpagingcookie'),
          })
        : nextPagePath(map, path, String(JSON.parse(link)))
    if (next === undefined || next.length > MAX_BATCHED_ADDRESS_CHARACTERS) {
      throw new OwnError('the next page cannot be requested: it is of another resource, or its address is too long')
    }
    return next
  }

  async function ask(path: string): Promise<void> {
    try {
      const response = await send({ ...outbound, path, headers: unconditional(outbound.headers), deadline: undefined })
      if (response.status === 200 && isJson(header(response, 'content-type'))) return read(response, path)
      broken(await refusalOf(response, outbound), { path, skip: 0 })
    } catch (error) {
      broken(error as Error, { path, skip: 0 })
    }
  }

  function end(rest: string): void {
    isOver = true
    raw.write(rest, 'latin1')
    raw.end()
  }

  function broken(cause: Error, { path, skip }: { readonly path: string; readonly skip: number }): void {
    if (isOver) return
    isOver = true
    const error = cause instanceof RowOverLimit ? new RowTooLong(MAX_ROW_BYTES.toLocaleString('en'), { cause }) : cause
    if (!raw.headersSent) return refuse(cancellation.reason ?? notAPage(error))
    // The caller has left: nothing broke.
    if (raw.destroyed) return
    const report = reportOf(cancellation.reason ?? error)
    brokeOff(report.error)
    // The rows of the page that failed are counted again.
    const rest = limit === Infinity ? path : withTop(path, limit - (record.rows - skip))
    const resume = downstreamUrl(map, map.target.origins[0]! + rest)
    raw.write(`${JSON.stringify({ error: report.shown, resume, skip })}\n`, () => cut(raw))
  }
}

function textOfMember(rows: PageRows, name: string): string | undefined {
  const json = rows.member(name)
  return json === undefined ? undefined : String(JSON.parse(json))
}

/** A first response that can be read and is not a page is for the caller to fix. */
function notAPage(error: Error): Error {
  return error.name === 'MalformedBatch' ? new NotACollection('this address answers something else') : error
}

/** What a page was refused with. */
class PageRefused extends OwnError {
  /** As Dynamics wrote it; `undefined` where it wrote something else than an error. */
  readonly error: unknown

  constructor(status: number, error: unknown) {
    super(`Dynamics 365 answered ${status} for a further page`)
    this.error = error
  }
}

async function refusalOf(response: UpstreamResponse, outbound: OutboundRequest): Promise<PageRefused> {
  const { text } = await bufferResponse(response, outbound)
  try {
    const { error } = JSON.parse(text) as { error?: unknown }
    // It fails for an error that is nested too deeply to be written again.
    JSON.stringify(error)
    return new PageRefused(response.status, error)
  } catch {
    return new PageRefused(response.status, undefined)
  }
}

/** An error for the caller, and its form for the log. */
function reportOf(error: Error): { readonly shown: unknown; readonly error: Error } {
  const own = bodyError(error)
  const { code, message } = own as Error & { readonly code?: string }
  return { shown: (error instanceof PageRefused ? error.error : undefined) ?? { code, message }, error: own }
}

/** A further page is wanted whatever the caller knows of the first. */
function unconditional(headers: readonly string[]): readonly string[] {
  return headersWithout(headers, (name) => name.startsWith('if-'))
}

/** Ends the connection without the last chunk, after what was written has gone out: a reset could overtake it. */
function cut({ socket }: ServerResponse): void {
  socket?.destroySoon()
}
