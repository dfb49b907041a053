/**
 * A function that runs `task`, one run at a time. Calls during a run cause one more run after it.
 *
 * @param task must not reject
 */
export function oneAtATime(task: () => Promise<void>): () => void {
  let isRunning = false
  let isRequested = false
  return () => {
    isRequested = true
    if (!isRunning) void runRequested()
  }

  async function runRequested(): Promise<void> {
    isRunning = true
    while (isRequested) {
      isRequested = false
      await task()
    }
    isRunning = false
  }
}
