import { MalformedBatch, RefusedPart } from './batch-error.ts'
import { isBatch } from './batch-path.ts'
import { type Field, valueOf } from './header-fields.ts'
import { isPartMethod } from './methods.ts'
import { operationUrl } from './operation-url.ts'
import { partHeaders } from './part-headers.ts'
import type { UrlMap } from './url-map.ts'

/** An operation of a `$batch`, for a policy to check before any of it is forwarded. */
export interface BatchOperation {
  /** Counts from 1. */
  readonly part: number
  /** In upper case. */
  readonly method: string
  /** Raw, below the API root, without its query: `/accounts(1)`. `$1` is resolved to the path of that part. */
  readonly resourcePath: string
  /** Raw, without its question mark. */
  readonly query: string
  /** As the caller sent them, those of the part before those of the request. */
  readonly headers: readonly Field[]
}

/** Options for rewriting a `$batch` request. */
export interface BatchOptions {
  /** Checks each operation. An error that it throws ends the batch. */
  readonly onPart: (operation: BatchOperation) => void
  /** Called when the batch has been read completely, and nothing of it is refused. */
  readonly onEnd?: () => void
  /** Names of the batch's own headers, in lower case, that name the user of all its parts. */
  readonly userHeaders?: readonly string[]
  /** Whether a header, by its name in lower case, is the gateway's own and is not forwarded. */
  readonly staysHere?: (name: string) => boolean
}

/** An operation as the caller sent it. */
export interface WrittenOperation {
  readonly method: string
  readonly url: string
  /** Headers around the request, which do not belong to it. */
  readonly around: readonly Field[]
  readonly headers: readonly Field[]
  /** Its Content-ID or id. */
  readonly id: string | undefined
  /** Within which no id may occur twice. */
  readonly group: number
}

/** Checks one operation after another, and returns the URL and headers to forward for each. */
export interface PartAuthorizer {
  /** The headers of the next part that may be forwarded. */
  headers(fields: readonly Field[]): readonly Field[]
  operation(written: WrittenOperation): { readonly url: string; readonly headers: readonly Field[] }
  /** Names the next part: `Part 3 of the batch`. */
  subject(): string
}

/** Creates the authorizer of one batch. */
export function partAuthorizer(
  map: UrlMap,
  { onPart, userHeaders = [], staysHere = () => false }: BatchOptions,
): PartAuthorizer {
  /** The paths of ids, by their group. */
  const references = new Map<string, Map<number, string>>()
  const ids = new Set<string>()
  const destination = { host: map.target.origins[0]!.replace(/^https?:\/\//, ''), userHeaders, staysHere }
  let part = 1

  function subject(): string {
    return `Part ${part} of the batch`
  }

  function remember({ id, group, method }: WrittenOperation, resourcePath: string): void {
    if (id === undefined) return
    const unique = `${group} ${id}`
    if (!/^[\w.-]+$/.test(id) || SYSTEM_NAMES.has(id) || ids.has(unique)) {
      throw new RefusedPart(`${subject()} has an id that is not a plain name or was used before.`)
    }
    ids.add(unique)
    const named = references.get(id) ?? new Map<number, string>()
    references.set(id, named.set(group, method.toUpperCase() === 'POST' ? `${resourcePath}($${id})` : resourcePath))
  }

  /** The path of `id` in `group`, or in the only other group that has this id. */
  function referenced(id: string, group: number): string | undefined {
    const named = references.get(id)
    if (named === undefined || named.has(group)) return named?.get(group)
    const paths = new Set(named.values())
    if (paths.size > 1) throw new RefusedPart(`${subject()} refers to an id that several change sets have: $${id}.`)
    return paths.values().next().value
  }

  return {
    subject,
    headers: (fields) => partHeaders(fields, { ...destination, subject: subject() }),
    operation(written) {
      if (part > MAX_OPERATIONS) throw new RefusedPart('The batch holds more than 1,000 operations.')
      const { method, around, headers: fields } = written
      if (!/^[A-Z]+$/i.test(method) || written.url === '') {
        throw new MalformedBatch(`${subject()} has no method or no URL.`)
      }
      if (!isPartMethod(method)) throw new RefusedPart(`${subject()} has a method other than those of the Web API.`)
      const { url, resourcePath, query } = operationUrl(map, written.url, {
        references: { get: (id) => referenced(id, written.group) },
        subject: subject(),
      })
      if (isBatch(resourcePath)) throw new RefusedPart(`${subject()} is a batch within the batch.`)
      const headers = partHeaders(fields, { ...destination, subject: subject() })
      onPart({ part, method: method.toUpperCase(), resourcePath, query, headers: [...around, ...fields] })
      remember(written, resourcePath)
      part++
      return { url, headers }
    },
  }
}

/** The Content-ID in a part's own head or in that of its request; not a plain name if the two differ. */
export function contentId(around: readonly Field[], headers: readonly Field[]): string | undefined {
  const inside = valueOf(headers, 'content-id')
  const outside = valueOf(around, 'content-id') ?? inside
  return inside === undefined || inside === outside ? outside : `${outside}, ${inside}`
}

const MAX_OPERATIONS = 1000

/** Other names that may follow a `$` at the start of a URL. */
const SYSTEM_NAMES: ReadonlySet<string> = new Set(['batch', 'metadata', 'entity', 'all', 'crossjoin', 'root'])
