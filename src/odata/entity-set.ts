/**
 * The entity set, function or action at the start of a request target, for logs and metrics. Keys and
 * everything after them may be personal. `gateway` for the gateway's own addresses, `other` for everything else.
 */
export function entitySetOf(requestTarget: string): string {
  return ENTITY_SET.exec(requestTarget)?.[1] ?? (requestTarget.startsWith('/-/') ? 'gateway' : 'other')
}

const ENTITY_SET = /^\/*(?:api\/data\/v\d+\.\d+\/)?([$A-Za-z_][\w.]{0,99})(?=[/(?]|$)/
