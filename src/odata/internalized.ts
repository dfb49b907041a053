/**
 * `text` as V8 keeps the names of properties: a string of its own. Comparing it with a constant takes no look at its
 * letters, and using it as a name no search. For texts that are cached, because making it takes as long as a search.
 */
export function internalized(text: string): string {
  return Object.keys({ [text]: undefined })[0]!
}
