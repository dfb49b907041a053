import { ALL_SETTINGS } from './all-settings.ts'
import type { Settings } from './schema.ts'

/** The paths of the settings that differ between `before` and `after` and only apply after a restart. */
export function changedForRestart(before: Settings, after: Settings): string[] {
  const fixed = ALL_SETTINGS.filter(({ setting }) => setting.restart === true).map(({ path }) => path)
  // The variables of proxies and of tracing are not settings of the schema.
  return [...fixed, 'proxies', 'tracing'].filter(
    (path) => JSON.stringify(valuesAt(before, path)) !== JSON.stringify(valuesAt(after, path)),
  )
}

/** The value of `settings` at a path; for a path through a list, the distinct values of its entries. */
function valuesAt(settings: unknown, path: string): unknown {
  const [first = '', ...rest] = path.split('.')
  const list = first.endsWith('[]')
  const value = (settings as Readonly<Record<string, unknown>> | undefined)?.[list ? first.slice(0, -2) : first]
  if (rest.length === 0) return value
  if (!list) return valuesAt(value, rest.join('.'))
  return [...new Set((value as readonly unknown[]).map((one) => valuesAt(one, rest.join('.'))))].sort()
}
