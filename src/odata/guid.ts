/** Whether `text` is a GUID as Dynamics and Entra write ids: without braces, in any letter case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}

/** Whether `id` can be a user's id. The empty GUID means nobody, and Dynamics would act as the application user. */
export function isUserId(id: unknown): id is string {
  return typeof id === 'string' && isGuid(id) && !EMPTY.test(id)
}

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const EMPTY = /^[0-]+$/
