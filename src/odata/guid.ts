/** Whether `text` is a GUID in the form of Dynamics and Entra: without braces, in any letter case. */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}

/** Whether `id` can be a user's id. The empty GUID is not a user: Dynamics would act as the application user. */
export function isUserId(id: unknown): id is string {
  return typeof id === 'string' && isGuid(id) && !EMPTY.test(id)
}

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const EMPTY = /^[0-]+$/
