/** The size of idle entries that are kept, in characters. There is a limit because callers choose the keys. */
const MAX_IDLE_CHARACTERS = 256 * 1024
/** The size of an entry besides its key. */
const CHARACTERS_PER_ENTRY = 200

/**
 * State for each key that is in use, such as the slots of a caller. Idle state stays until there is too much of it: if
 * entries came and went with each request, V8 would replace the table of the `Map` every few milliseconds
 * (docs/decisions/cost-of-a-request.md). The same keys usually come again.
 *
 * @returns finds the state of a key, or creates it; idle state of other keys may be removed then
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
