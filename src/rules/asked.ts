import { isRead } from '../odata/methods.ts'
import type { Segment } from './segments.ts'

/** What a request asks for, as rules look at it. */
export interface Asked {
  readonly method: string
  /** The method that an `allow` must name: HEAD, OPTIONS and `POST …/$query` taken for GET. */
  readonly kind: string
  /** The methods that no `deny` may name: that of the request, and those that it comes to. */
  readonly kinds: readonly string[]
  readonly path: readonly Segment[]
}

/** What `method` on `path` asks for. */
export function asking(method: string, path: readonly Segment[]): Asked {
  const kind = isQuery(path) ? 'GET' : kindOf(method)
  const bulk = method === 'POST' ? path.flatMap(({ name }) => BULK[name] ?? []) : []
  return { method, kind, kinds: [...new Set([kind, kindOf(method), ...bulk])], path }
}

/** What actions on many rows of an entity set come to. */
const BULK: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  updatemultiple: ['PATCH'],
  upsertmultiple: ['PATCH'],
  deletemultiple: ['DELETE'],
} satisfies Record<string, readonly string[]>)

/** Whether a path is one of OData's reads whose query is in the body. */
export function isQuery(path: readonly Segment[]): boolean {
  return path.at(-1)!.name === '$query'
}

/** The method as rules name it: HEAD and OPTIONS are taken for GET. */
export function kindOf(method: string): string {
  return isRead(method) ? 'GET' : method
}
