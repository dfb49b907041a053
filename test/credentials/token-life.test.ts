import t from 'tap'

import { backOff, backOffWhileNeeded } from '../../src/credentials/back-off.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { lifeOf } from '../../src/credentials/token-life.ts'

const token = (expiresIn: number | undefined, refreshIn?: number) => ({ accessToken: 'x', expiresIn, refreshIn })

t.test('a token is served until seconds before it expires, and renewed when the authority advises', (t) => {
  t.same(lifeOf(token(3600), 0, 0), { servedFor: 3_590_000, renewAfter: 2_700_000 }, 'three quarters')
  t.same(lifeOf(token(3600, 1800), 0, 0), { servedFor: 3_590_000, renewAfter: 1_800_000 }, 'refresh_in')
  t.same(lifeOf(token(3600, 5000), 0, 0), { servedFor: 3_590_000, renewAfter: 2_700_000 }, 'refresh_in behind the end')
  t.same(lifeOf(token(3600, 0), 0, 0).renewAfter, 2_700_000)
  t.equal(lifeOf(token(3600), 0, 1).renewAfter, 2_430_000, 'at most a tenth earlier')
  t.equal(lifeOf(token(3600), 4000, 0).servedFor, 3_586_000, 'it may be as old as the fetch took')
  t.end()
})

t.test('short and malformed lifetimes', (t) => {
  t.same(lifeOf(token(2), 0, 0), { servedFor: 1900, renewAfter: 1500 })
  t.same(lifeOf(token(2), 5000, 0).servedFor, 1700, 'a slow response does not make it useless')
  t.same(lifeOf(token(0.1), 0, 0).renewAfter, 500)
  for (const odd of [undefined, NaN, 0, -5]) t.equal(lifeOf(token(odd), 0, 0).servedFor, 57_000, String(odd))
  for (const long of [Infinity, 1e12]) {
    t.equal(lifeOf(token(long), 0, 0).servedFor, 24 * 3_600_000 - 10_000, String(long))
  }
  t.end()
})

t.test(
  'after a failure the authority is contacted after 1 s, doubling to 30 s; after a refusal, 30 s, doubling to two minutes',
  (t) => {
    const failure = (refused: boolean, retryAfter?: number) =>
      new AuthorityFailure({ what: '', why: '', todo: '' }, refused, retryAfter === undefined ? {} : { retryAfter })
    t.same(
      [1, 2, 3, 4, 5, 6, 7, 100].map((attempt) => backOff(failure(false), attempt, 0) / 1000),
      [1, 2, 4, 8, 16, 30, 30, 30],
    )
    t.same(
      [1, 2, 3, 4].map((attempt) => backOff(failure(true), attempt, 0) / 1000),
      [30, 60, 120, 120],
    )
    t.same(
      [1, 2, 3, 100].map((attempt) => backOffWhileNeeded(failure(false), attempt, 0) / 1000),
      [1, 2, 2, 2],
      'while callers need a token',
    )
    t.equal(backOffWhileNeeded(failure(true), 1, 0), 30_000, 'a refusal is a refusal')
    t.equal(backOffWhileNeeded(failure(false, 7000), 3, 0), 7000, 'Retry-After')
    t.equal(backOff(failure(false), 1, 1), 800, 'at most a fifth less')
    t.equal(backOff(failure(false, 7000), 1, 1), 7000, 'Retry-After')
    t.equal(backOff(failure(false, 3_600_000), 1, 0), 60_000, 'Retry-After applies up to a minute')
    t.end()
  },
)
