/** Only the letters and digits of a name: `MAX_RETRY_WAIT`, `max-retry-wait` and `maxRetryWait` become equal. */
export function normalized(name: string): string {
  return name.replace(/[^a-z0-9]/gi, '').toUpperCase()
}
