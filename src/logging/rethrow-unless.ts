/** Throws `error` again unless it is a `kind`: any other is a bug, which the code that caught it must not hide. */
export function rethrowUnless<E extends Error>(
  error: unknown,
  kind: abstract new (...args: never[]) => E,
): asserts error is E {
  if (!(error instanceof kind)) throw error
}
