import t from 'tap'

import { withRetryAdvice } from '../../src/dynamics/retry-advice.ts'

t.test('the retry advice is added once, however often an error passes', async (t) => {
  const keyed = { repeatable: 'keyed', idempotency: {} } as never as Parameters<typeof withRetryAdvice>[1]
  const error = withRetryAdvice(new Error('It failed.'), keyed)
  t.equal(error.message, 'It failed. Send the create again with the same Idempotency-Key: it makes one row.')
  t.equal(withRetryAdvice(error, keyed).message, error.message)
  const write = { repeatable: 'never', idempotency: undefined } as never as Parameters<typeof withRetryAdvice>[1]
  const doubtful = withRetryAdvice(new Error('It failed.'), write).message
  t.equal(withRetryAdvice(new Error(doubtful), write).message, doubtful)
})
