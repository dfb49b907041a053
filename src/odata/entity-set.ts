import { cachedByText } from './cached-by-text.ts'

/**
 * The entity set, function or action at the start of a request target, for logs and metrics. Keys and
 * everything after them may be personal. `gateway` for the gateway's own addresses, `other` for everything else.
 */
export function entitySetOf(requestTarget: string): string {
  const key = requestTarget.indexOf('(')
  const query = requestTarget.indexOf('?')
  const end = key === -1 || (query !== -1 && query < key) ? query : key
  return entitySetIn(end === -1 ? requestTarget : requestTarget.slice(0, end))
}

/** There are few different texts before the first key or query. */
const entitySetIn = cachedByText(
  (path): string => ENTITY_SET.exec(path)?.[1] ?? (path.startsWith('/-/') ? 'gateway' : 'other'),
)

const ENTITY_SET = /^\/*(?:api\/data\/v\d+\.\d+\/)?([$A-Za-z_][\w.]{0,99})(?=\/|$)/
