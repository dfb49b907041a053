import t from 'tap'

import type { ConnectionState } from '../../src/dynamics/connect.ts'
import { createActivity } from '../../src/observe/activity.ts'
import { targetCard } from '../../src/observe/target-card.ts'
import type { ShownTarget } from '../../src/observe/target-card.ts'

const DAY_MS = 86_400_000
const NOW = Date.UTC(2026, 10, 1)

function card(
  credentialEnds: number | undefined,
  changes: Partial<ConnectionState> = {},
  changed: object = {},
): string {
  const token = {
    token: 'fresh',
    validFor: 1000,
    renewals: 1,
    failures: 0,
    lastFailure: undefined,
    ...changed,
  } as const
  const state: ConnectionState = {
    circuit: 'closed',
    running: 0,
    waiting: 0,
    waitingInBackground: 0,
    limit: 52,
    limitReason: 'ceiling',
    share: undefined,
    pauseMs: 0,
    waitingForPause: 0,
    rates: undefined,
    ...changes,
  }
  const target = { url: { origin: 'https://x' }, impersonation: { mode: 'off' }, credential: { kind: 'certificate' } }
  return targetCard(
    {
      name: 'sales',
      target: target as never as ShownTarget['target'],
      credential: { state: () => (credentialEnds === undefined ? token : { ...token, credentialEnds }) },
      connection: { state: () => state },
      directory: { cached: () => ({ users: 0, unknown: 0 }) },
      sharing: () => undefined,
      activity: createActivity(),
    },
    NOW,
  )
}

t.test('the card shows the remaining days of a credential, with increasing urgency', async (t) => {
  for (const [days, shown] of [
    [400, 'certificate, 400 days left<'],
    [30, 'certificate, 30 days left<'],
    [29.9, '<span class="badge warn">29 days left</span>'],
    [7, '<span class="badge warn">7 days left</span>'],
    [1.5, '<span class="badge bad">1 day left</span>'],
    [0.5, '<span class="badge bad">less than a day left</span>'],
    [-3, '<span class="badge bad">expired</span>'],
  ] as const) {
    t.ok(card(NOW + days * DAY_MS).includes(shown), shown)
  }
  t.ok(card(undefined).includes('<dd>certificate</dd>'), 'unknown values are left out')
})

t.test('the card shows retries, waiting requests and remaining limits', async (t) => {
  t.match(card(undefined, {}, { token: 'stale', validFor: 3 * 3_600_000 }), /renewal due<\/span>, 3 h left/)
  t.match(card(undefined, { waiting: 3, waitingInBackground: 2 }), /3 waiting, 2 of them in the background/)
  t.match(card(undefined, { rates: { requests: 5000, seconds: undefined, parallel: undefined } }), />5,000 requests</)
  t.match(
    card(undefined, { rates: { requests: undefined, seconds: 1000, parallel: undefined } }),
    />1,000 s of execution</,
  )
})
