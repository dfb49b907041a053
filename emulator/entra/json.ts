import type { Header, Reply } from '../http/operation.ts'

const headers: readonly Header[] = [
  ['Cache-Control', 'no-store, no-cache'],
  ['Pragma', 'no-cache'],
  ['Content-Type', 'application/json; charset=utf-8'],
]

/** A JSON response of Entra. */
export function entraJson(status: number, body: Readonly<Record<string, unknown>>): Reply {
  return { status, headers, body: JSON.stringify(body) }
}
