import type { Priority } from '../dynamics/request-record.ts'
import { BadPreference } from '../errors.ts'
import { cachedByText } from '../odata/cached-by-text.ts'

/** A request's priority, and the preference that was applied to it, if one was. */
export interface AppliedPriority {
  readonly priority: Priority
  /** Value for `Preference-Applied`. */
  readonly applied: string | undefined
}

const NAME = 'gateway.priority'
const mentionsPriority = cachedByText((prefer) => /gateway\.priority/i.test(prefer))
const BY_SETTING: Readonly<Record<Priority, AppliedPriority>> = {
  interactive: { priority: 'interactive', applied: undefined },
  background: { priority: 'background', applied: undefined },
}
const IS_PRIORITY = /^\s*gateway\.priority(?![\w.-])/i

/**
 * Priority of a request: `Prefer: gateway.priority=background`, or the caller's setting. A caller whose setting is
 * `background` cannot raise itself.
 *
 * @param prefer the caller's `Prefer` header
 * @throws BadPreference when the value is neither word
 * @see https://www.rfc-editor.org/rfc/rfc7240
 */
export function priorityOf(prefer: string | undefined, setting: Priority): AppliedPriority {
  if (prefer === undefined || !mentionsPriority(prefer)) return BY_SETTING[setting]
  // Of several the first counts, says the RFC; a wrong one is an error wherever it is.
  const [preferred] = preferencesIn(prefer).filter(isPriority).map(valueOf)
  if (preferred === undefined) return BY_SETTING[setting]
  const priority = setting === 'background' ? setting : preferred
  return { priority, applied: priority === preferred ? `${NAME}=${preferred}` : undefined }
}

/** A `Prefer` header without the priority, which is not for Dynamics; `undefined` where nothing is left. */
export function withoutPriority(prefer: string): string | undefined {
  if (!mentionsPriority(prefer)) return prefer
  const others = preferencesIn(prefer).filter((preference) => !isPriority(preference))
  return others.length === 0 ? undefined : others.join(',').trim()
}

/**
 * Refuses a priority on a request inside a `$batch`: Dynamics works on the batch as one request.
 *
 * @throws BadPreference
 */
export function refusePartPriority(
  part: number,
  headers: readonly { readonly name: string; readonly value: string }[],
): void {
  const isNamed = headers.some(
    ({ name, value }) => name.toLowerCase() === 'prefer' && preferencesIn(value).some(isPriority),
  )
  if (isNamed) throw new BadPreference(`part ${part} of the $batch has it; put it on the $batch, for all parts`)
}

function isPriority(preference: string): boolean {
  return IS_PRIORITY.test(preference)
}

function valueOf(preference: string): Priority {
  // Parameters may follow a semicolon, and the value may be in quotes.
  const [word = ''] = preference.trim().slice(NAME.length).toLowerCase().split(';', 1)
  const value = word.replaceAll(/[\s"]/g, '')
  if (value === '=background') return 'background'
  if (value === '=interactive') return 'interactive'
  throw new BadPreference('its value must be background or interactive')
}

/** The preferences of a header, cut at the commas outside of quotes. */
function preferencesIn(prefer: string): string[] {
  const preferences: string[] = []
  let isQuoted = false
  let start = 0
  for (let at = 0; at < prefer.length; at++) {
    const character = prefer[at]
    if (character === '"') isQuoted = !isQuoted
    else if (character === '\\' && isQuoted) at++
    else if (character === ',' && !isQuoted) {
      preferences.push(prefer.slice(start, at))
      start = at + 1
    }
  }
  preferences.push(prefer.slice(start))
  return preferences
}
