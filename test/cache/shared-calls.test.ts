import t from 'tap'

import { shareCalls } from '../../src/cache/shared-calls.ts'
import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import type { Cancellation } from '../../src/dynamics/cancellation.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../../src/dynamics/send.ts'
import { bodyOf, modelRequest } from '../support/model-dynamics.ts'
import { until } from '../support/until.ts'

interface WaitingCall {
  readonly fairnessKey: string
  readonly cancellation: Cancellation
  readonly answer: () => void
}

/** A `send` whose calls wait until the test answers them. */
function waitingCalls(text = ''): {
  readonly send: Send
  readonly calls: WaitingCall[]
} {
  const calls: WaitingCall[] = []
  return {
    calls,
    send: ({ fairnessKey, cancellation }) =>
      new Promise<UpstreamResponse>((resolve) => {
        const body = (): UpstreamResponse['body'] => bufferedBody(Buffer.from(text || `of ${fairnessKey}`))
        calls.push({ fairnessKey, cancellation, answer: () => resolve({ status: 200, headers: [], body: body() }) })
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

t.test('the call ends when its last request leaves, in whatever order they do', async (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const { send, calls } = waitingCalls()
    const share = shareCalls('a', () => 0)
    const requests = [readOf('a'), readOf('a'), readOf('a')]
    const answers = requests.map((request) => share(request, send))
    for (const answer of answers) answer.catch(() => undefined)
    t.equal(calls.length, 1)
    for (const index of order) {
      t.equal(calls[0]!.cancellation.reason, undefined)
      requests[index]!.cancellation.cancel(new Error(`${index} left`))
    }
    t.match(calls[0]!.cancellation.reason, { message: `${order[2]} left` })
    for (const index of order.slice(0, 2)) await t.rejects(answers[index]!, { message: `${index} left` })
  }
})

t.test(
  'a response that is too long to share ends when the first caller has left; others make their own calls',
  async (t) => {
    const { send, calls } = waitingCalls('x'.repeat(2_000_000))
    const share = shareCalls('a', () => 0)
    const first = readOf('first')
    first.record.attemptSent()
    const answers = [share(first, send), share(readOf('b'), send), share(readOf('c'), send)]
    first.cancellation.cancel(new Error('left'))
    await t.rejects(answers[0]!, { message: 'left' })
    calls[0]!.answer()
    await until(() => calls.length === 3)
    t.match(calls[0]!.cancellation.reason, { message: /no request waits/ })
    for (const { answer } of calls.slice(1)) answer()
    for (const answer of answers.slice(1)) t.equal((await bodyOf(await answer)).length, 2_000_000)
  },
)

t.test('a read whose key would be too long shares no call', async (t) => {
  const { send, calls } = waitingCalls()
  const share = shareCalls('a', () => 0)
  const long = (): OutboundRequest => ({ ...readOf('a'), path: `/accounts?$filter=${'x'.repeat(8192)}` })
  const answers = [share(long(), send), share(long(), send)]
  t.equal(calls.length, 2)
  for (const { answer } of calls) answer()
  for (const answer of answers) t.equal((await answer).status, 200)
})
