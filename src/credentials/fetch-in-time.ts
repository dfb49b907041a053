import type { Explanation } from '../explanations/explanation.ts'
import type { FetchedToken, FetchToken } from './credential.ts'
import { AuthorityFailure } from './failure.ts'

/** How long a fetch may take to end after it was cancelled. */
const ABORT_GRACE_MS = 100

/**
 * Fetches a token within `timeout` milliseconds.
 *
 * @param closing cancels the fetch when the gateway stops
 * @throws AuthorityFailure when the time is over, or what `fetch` throws
 */
export async function fetchInTime(
  fetch: FetchToken,
  claims: string | undefined,
  { timeout, closing }: { readonly timeout: number; readonly closing: AbortSignal },
): Promise<FetchedToken> {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(new AuthorityFailure(tooSlow(timeout), false, { code: 'TIMEOUT' }))
  }, timeout)
  const signal = AbortSignal.any([late.signal, closing])
  try {
    signal.throwIfAborted()
    return await Promise.race([
      fetch({ claims, signal }),
      new Promise<never>((_, reject) => {
        // A fetch that heeds the signal knows better what it waited for.
        signal.addEventListener('abort', () => setTimeout(reject, ABORT_GRACE_MS, signal.reason), { once: true })
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

function tooSlow(timeout: number): Explanation {
  return {
    what: `The authority gave no token within ${timeout} ms.`,
    why: 'It is slow, or a firewall drops what is sent to it.',
    todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY; TOKEN_TIMEOUT allows more time.',
  }
}
