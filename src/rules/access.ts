import { kindOf } from '../config/rule.ts'
import type { Segment } from './segments.ts'

/** What a request does to which path, for evaluating rules. */
export interface Access {
  readonly method: string
  /** The method that an `allow` must cover: HEAD, OPTIONS and `POST …/$query` count as GET. */
  readonly kind: string
  /** The methods that no `deny` may name: that of the request, and those that it comes to. */
  readonly kinds: readonly string[]
  readonly path: readonly Segment[]
}

/** The access by `method` to `path`. */
export function accessOf(method: string, path: readonly Segment[]): Access {
  const kind = isQuery(path) ? 'GET' : kindOf(method)
  const bulk = method === 'POST' ? path.flatMap(({ name }) => BULK[name] ?? []) : []
  return { method, kind, kinds: [...new Set([kind, kindOf(method), ...bulk])], path }
}

/** The methods that bulk actions on an entity set correspond to. */
const BULK: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  updatemultiple: ['PATCH'],
  upsertmultiple: ['PATCH'],
  deletemultiple: ['DELETE'],
} satisfies Record<string, readonly string[]>)

/** Whether a path is one of OData's reads whose query is in the body. */
export function isQuery(path: readonly Segment[]): boolean {
  return path.at(-1)!.name === '$query'
}
