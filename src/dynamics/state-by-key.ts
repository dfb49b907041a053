/** The size of idle entries that are kept, in characters of their keys. Callers choose keys. */
const MAX_IDLE_CHARACTERS = 256 * 1024
/** What an entry counts in addition to its key. */
const CHARACTERS_PER_ENTRY = 200

/**
 * State for each key that is in use, such as the slots of a caller. Unlike in a plain `Map`, idle state is not removed at
 * once: V8 would have to replace the table of the `Map` every few milliseconds
 * (docs/decisions/cost-of-a-request.md), and the same keys come again.
 *
 * @returns finds the state of a key, or creates it. Idle state may be removed at each call.
 */
export function stateByKey<State>(create: () => State, isIdle: (state: State) => boolean): (key: string) => State {
  const states = new Map<string, State>()
  let characters = 0
  let maxCharacters = MAX_IDLE_CHARACTERS

  function removeIdle(): void {
    characters = 0
    for (const [key, state] of states) {
      if (isIdle(state)) states.delete(key)
      else characters += key.length + CHARACTERS_PER_ENTRY
    }
    maxCharacters = characters + MAX_IDLE_CHARACTERS
  }

  return (key) => {
    const found = states.get(key)
    if (found !== undefined) return found
    if (characters > maxCharacters) removeIdle()
    characters += key.length + CHARACTERS_PER_ENTRY
    const state = create()
    states.set(key, state)
    return state
  }
}
