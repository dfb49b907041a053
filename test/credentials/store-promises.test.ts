import fc from 'fast-check'
import t from 'tap'

import type { Clock } from '../../src/credentials/clock.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { cacheToken } from '../../src/credentials/token-cache.ts'

// Invariants that hold for any events in any order.

type Happening =
  | { readonly kind: 'time passes'; readonly ms: number }
  | { readonly kind: 'authority'; readonly gives: number | 'nothing' | 'refusal' }
  | { readonly kind: 'requests'; readonly count: number }
  | { readonly kind: 'Dynamics refuses' }
  | { readonly kind: 'reload' }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('time passes' as const), ms: fc.integer({ min: 0, max: 200_000 }) }),
  fc.record({
    kind: fc.constant('authority' as const),
    gives: fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.constantFrom('nothing' as const, 'refusal' as const)),
  }),
  fc.record({ kind: fc.constant('requests' as const), count: fc.integer({ min: 1, max: 20 }) }),
  fc.constant({ kind: 'Dynamics refuses' as const }),
  fc.constant({ kind: 'reload' as const }),
)

t.test('no request gets an expired token, one fetch runs at a time, and every request ends', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 60 }), async (happenings) => {
        let now = 0
        const clock: Clock = { steady: () => now, wall: () => now, sinceBoot: () => now }
        let gives: number | 'nothing' | 'refusal' = 3600
        let underWay = 0
        let most = 0
        const ends = new Map<string, number>()
        const nothing = (): void => undefined
        const store = cacheToken(
          async () => {
            underWay += 1
            most = Math.max(most, underWay)
            await new Promise(setImmediate)
            underWay -= 1
            if (typeof gives === 'string')
              throw new AuthorityFailure({ what: '', why: '', todo: '' }, gives === 'refusal')
            ends.set(`Bearer t${ends.size}`, now + gives * 1000)
            return { accessToken: `t${ends.size - 1}`, expiresIn: gives }
          },
          { timeout: 1000, clock, log: { debug: nothing, info: nothing, warn: nothing, error: nothing } },
        )
        let last = ''
        try {
          for (const one of happenings) {
            switch (one.kind) {
              case 'time passes':
                now += one.ms
                break
              case 'authority':
                gives = one.gives
                break
              case 'reload':
                store.reload()
                break
              case 'Dynamics refuses':
                store.discard(last)
                break
              case 'requests': {
                const outcomes = await Promise.allSettled(
                  Array.from({ length: one.count }, async () => store.authorization()),
                )
                for (const outcome of outcomes) {
                  if (outcome.status === 'rejected') {
                    const { code, statusCode, retryAfter } = outcome.reason as {
                      code: string
                      statusCode: number
                      retryAfter?: number
                    }
                    if (code === 'GATEWAY_CREDENTIAL_REJECTED' && statusCode === 502) continue
                    if (
                      code === 'GATEWAY_TOKEN_UNAVAILABLE' &&
                      statusCode === 503 &&
                      retryAfter !== undefined &&
                      retryAfter >= 1
                    )
                      continue
                    throw outcome.reason
                  }
                  if ((ends.get(outcome.value) ?? 0) <= now) throw new Error(`${outcome.value} was over`)
                  last = outcome.value
                }
              }
            }
          }
        } finally {
          store.close()
        }
        return most <= 1
      }),
      { numRuns: 300 },
    ),
  )
})
