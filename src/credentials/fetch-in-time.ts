import type { Explanation } from '../explanations/explanation.ts'
import type { FetchedToken, FetchToken, TokenRequest } from './credential.ts'
import { AuthorityFailure } from './failure.ts'

/** How long a cancelled fetch may take to end. */
const ABORT_GRACE_MS = 100

/**
 * Fetches a token within `timeout` milliseconds.
 *
 * @param closing cancels the fetch when the gateway stops
 * @throws AuthorityFailure after `timeout`, or the error of `fetch`
 */
export async function fetchInTime(
  fetch: FetchToken,
  request: Omit<TokenRequest, 'signal'>,
  { timeout, closing }: { readonly timeout: number; readonly closing: AbortSignal },
): Promise<FetchedToken> {
  const timeoutController = new AbortController()
  const timer = setTimeout(() => {
    timeoutController.abort(new AuthorityFailure(tooSlow(timeout), false, { code: 'TIMEOUT' }))
  }, timeout)
  const signal = AbortSignal.any([timeoutController.signal, closing])
  try {
    signal.throwIfAborted()
    return await Promise.race([
      fetch({ ...request, signal }),
      new Promise<never>((_, reject) => {
        // A fetch that honours the signal has the more specific error.
        signal.addEventListener('abort', () => setTimeout(reject, ABORT_GRACE_MS, signal.reason), { once: true })
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

function tooSlow(timeout: number): Explanation {
  return {
    what: `The authority issued no token within ${timeout} ms.`,
    why: 'It is slow, or a firewall drops the packets.',
    todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY; TOKEN_TIMEOUT allows more time.',
  }
}
