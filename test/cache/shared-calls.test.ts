import t from 'tap'

import { shareCalls } from '../../src/cache/shared-calls.ts'
import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../../src/dynamics/send.ts'
import { bodyOf, modelRequest } from '../support/model-dynamics.ts'

/** A `send` whose calls wait until the test answers them. */
function waitingCalls(text = ''): {
  readonly send: Send
  readonly calls: { fairnessKey: string; answer: () => void }[]
} {
  const calls: { fairnessKey: string; answer: () => void }[] = []
  return {
    calls,
    send: ({ fairnessKey }) =>
      new Promise<UpstreamResponse>((resolve) => {
        const body = (): UpstreamResponse['body'] => bufferedBody(Buffer.from(text || `of ${fairnessKey}`))
        calls.push({ fairnessKey, answer: () => resolve({ status: 200, headers: [], body: body() }) })
      }),
  }
}

function readOf(fairnessKey: string): OutboundRequest {
  return modelRequest('GET', '/accounts', [], {
    fairnessKey,
    cacheableRead: { identity: 'application user', mustBeSent: false },
  })
}

t.test('a caller shares the call of another caller only once that call was sent', async (t) => {
  const { send, calls } = waitingCalls()
  const share = shareCalls('a', () => 0)
  const busy = readOf('busy')
  const answers = [share(busy, send), share(readOf('busy'), send)]
  t.equal(calls.length, 1, 'two reads of one caller share a turn in the queue')
  answers.push(share(readOf('quiet'), send))
  t.equal(calls.length, 2, 'another caller gets its own turn')
  busy.record.attemptSent()
  answers.push(share(readOf('third'), send))
  t.equal(calls.length, 2, 'a call that was sent is shared')
  for (const { answer } of calls) answer()
  t.same((await Promise.all(answers.map(async (answer) => bodyOf(await answer)))).map(String), [
    'of busy',
    'of busy',
    'of quiet',
    'of busy',
  ])
})

t.test('nothing is shared while it is unknown which parts of a batch were executed', async (t) => {
  const { send, calls } = waitingCalls()
  let changes: number | undefined = 1
  const share = shareCalls('a', () => changes)
  const before = share(readOf('a'), send)
  changes = undefined
  const during = [share(readOf('a'), send), share(readOf('a'), send)]
  t.equal(calls.length, 3)
  changes = 2
  const after = share(readOf('a'), send)
  t.equal(calls.length, 4)
  for (const { answer } of calls) answer()
  for (const answer of [before, ...during, after]) t.equal((await answer).status, 200)
})

t.test('an interactive read does not join a background read, not even one of the same caller', async (t) => {
  const { send, calls } = waitingCalls()
  const share = shareCalls('a', () => 0)
  const background = { ...readOf('background'), priority: 'background' } as const
  const answers = [share(background, send), share({ ...background }, send)]
  t.equal(calls.length, 1, 'two background reads are one call')
  answers.push(share(readOf('background'), send))
  t.equal(calls.length, 2, 'an interactive read gets its own turn')
  background.record.attemptSent()
  answers.push(share({ ...readOf('background'), priority: 'interactive' }, send))
  t.equal(
    calls.length,
    2,
    'it joins the interactive call, because a retry of the other one would wait as background work',
  )
  for (const { answer } of calls) answer()
  for (const answer of answers) t.equal((await answer).status, 200)
})

t.test('each caller gets a long response at its own pace, and callers are served in turns', async (t) => {
  const { send, calls } = waitingCalls('x'.repeat(1000 * 1000))
  const share = shareCalls('a', () => 0)
  const requests = Array.from({ length: 20 }, () => readOf('a'))
  const written: number[] = []
  const answers = requests.map((request, index) =>
    share(request, send).then(({ body }) => {
      written[index] = 0
      body.pipeTo({
        resume: undefined,
        write: (chunk) => {
          written[index]! += chunk.length
          return false
        },
        end: () => t.fail('nobody reads'),
        fail: (reason) => t.fail(reason.message),
      })
    }),
  )
  calls[0]!.answer()
  await answers[0]
  requests[19]!.cancellation.cancel(new Error('left'))
  await t.rejects(answers[19]!, { message: 'left' }, 'a caller that disconnects before its turn gets nothing')
  await Promise.all(answers.slice(0, 19))
  t.ok(
    written.every((bytes) => bytes > 0 && bytes <= 64 * 1024),
    String(written),
  )
})
