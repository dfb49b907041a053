import { randomUUID } from 'node:crypto'

import type { Target } from '../config/schema.ts'
import type { Cancellation } from '../dynamics/cancellation.ts'
import { RequestRecord } from '../dynamics/request-record.ts'
import { header } from '../dynamics/send.ts'
import type { Send } from '../dynamics/send.ts'
import { errorOf, explainDynamics } from '../explanations/dynamics-errors.ts'
import { inOneLine } from '../explanations/explanation.ts'
import { OwnError } from '../logging/own-error.ts'
import { lookupRequest } from './lookup-request.ts'

/** One page of rows, with the link to the next page or to later changes. */
export interface UserPage {
  readonly rows: readonly unknown[]
  /** Path and query below the origin. */
  readonly next: string | undefined
  readonly delta: string | undefined
}

/** Dynamics answered with an error. */
export class PageRefused extends OwnError {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The resource that shows whether changes of users are tracked, below the API root. */
export const TRACKED_TABLE = "EntityDefinitions(LogicalName='systemuser')?$select=ChangeTrackingEnabled"

const PAGE_ROWS = 2000
/** 2,000 rows of seven short columns are less than 1 MB. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024

const TRACKED = ['prefer', `odata.track-changes,odata.maxpagesize=${PAGE_ROWS}`]
const UNTRACKED = ['prefer', `odata.maxpagesize=${PAGE_ROWS}`]

/** Reads pages of users with `send`, as the application user. */
export function userPages(send: Send, { url }: Pick<Target, 'url'>) {
  return {
    /** Reads the page at `path`. The last page has a delta link. */
    tracked: (path: string, cancellation: Cancellation) => read(path, TRACKED, cancellation),
    /** Reads the page at `path`. */
    plain: (path: string, cancellation: Cancellation) => read(path, UNTRACKED, cancellation),
    /** Whether the environment tracks changes of users; `undefined` if that cannot be read. */
    isTracked: async (cancellation: Cancellation): Promise<boolean | undefined> => {
      const path = `${url.apiRoot}/${TRACKED_TABLE}`
      const { status, json } = await ask(path, [], cancellation)
      const enabled = json?.['ChangeTrackingEnabled']
      return status === 200 && typeof enabled === 'boolean' ? enabled : undefined
    },
  }

  async function read(path: string, extraHeaders: readonly string[], cancellation: Cancellation): Promise<UserPage> {
    const { status, json, explanation } = await ask(path, extraHeaders, cancellation)
    if (status !== 200) throw new PageRefused(status, explanation())
    const rows = json?.['value']
    if (!Array.isArray(rows)) throw new OwnError('a page of users has no rows')
    return { rows, next: linkIn(json?.['@odata.nextLink']), delta: linkIn(json?.['@odata.deltaLink']) }
  }

  async function ask(path: string, extraHeaders: readonly string[], cancellation: Cancellation) {
    const record = new RequestRecord(randomUUID(), performance.now())
    const response = await send(lookupRequest(path, extraHeaders, cancellation, record))
    const json = parsed(await response.body.bytes(MAX_PAGE_BYTES))
    const { status } = response
    const explanation = (): string =>
      inOneLine(explainDynamics({ ...errorOf(status, (name) => header(response, name), json), delegated: false }))
    return { status, json, explanation }
  }

  /** The path of a link. Only the users below the API root are requested, and only from the target's own origin. */
  function linkIn(link: unknown): string | undefined {
    if (link === undefined) return undefined
    if (typeof link !== 'string' || !URL.canParse(link)) throw new OwnError('a link of a page is not a URL')
    const start = link.indexOf('/', link.indexOf('//') + 2)
    const path = link.slice(start)
    if (!path.startsWith(`${url.apiRoot}/systemusers?`)) throw new OwnError('a page links to another resource')
    return path
  }
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    return Object(JSON.parse(body.toString('utf8'))) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
