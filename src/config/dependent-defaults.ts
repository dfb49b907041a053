/**
 * A target as it was written, with the defaults that depend on another of its settings: a person who signed in forwards
 * with their own rights, so nobody is acted for unless `impersonation.mode` says so.
 */
export function withDependentDefaults(target: unknown): unknown {
  if (!isObject(target)) return target
  const { credential, impersonation = {} } = target
  if (!isObject(credential) || credential['kind'] !== 'delegated' || !isObject(impersonation)) return target
  return { ...target, impersonation: { mode: 'off', ...impersonation } }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
