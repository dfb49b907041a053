/** The part of tap's `t` that cleans up after a test. */
export interface Test {
  readonly teardown: (clean: () => unknown) => void
}
