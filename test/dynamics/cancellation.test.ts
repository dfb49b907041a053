import t from 'tap'

import { Cancellation, sleep, unlessCancelled } from '../../src/dynamics/cancellation.ts'
import type { CancellationHolder } from '../../src/dynamics/cancellation.ts'

/** A holder that notes the reasons of cancellations. */
function noting(reasons: string[], prefix = ''): CancellationHolder {
  return { onCancelled: ({ message }) => void reasons.push(prefix + message) }
}

t.test('notifies the holder once, and keeps the first reason', async (t) => {
  const cancellation = new Cancellation()
  const reasons: string[] = []
  cancellation.hold(noting(reasons))

  cancellation.cancel(new Error('first'))
  cancellation.cancel(new Error('second'))

  t.same(reasons, ['first'])
  t.match(cancellation.reason, { message: 'first' })
})

t.test('notifies only the last holder, whether or not the previous one released it', async (t) => {
  const cancellation = new Cancellation()
  const reasons: string[] = []
  const before = noting(reasons, 'before: ')
  cancellation.hold(before)
  cancellation.hold(noting(reasons, 'after: '))

  cancellation.release(before)
  cancellation.cancel(new Error('left'))

  t.same(reasons, ['after: left'])
})

t.test('notifies no one after the release', async (t) => {
  const cancellation = new Cancellation()
  const reasons: string[] = []
  const holder = noting(reasons)
  cancellation.hold(holder)

  cancellation.release(holder)
  cancellation.cancel(new Error('left'))

  t.same(reasons, [])
  t.match(cancellation.reason, { message: 'left' })
})

t.test('notifies a holder at once if the request is already cancelled', async (t) => {
  const cancellation = new Cancellation()
  cancellation.cancel(new Error('left'))
  const reasons: string[] = []

  cancellation.hold(noting(reasons))

  t.same(reasons, ['left'])
})

t.test('a wait settles with its promise, and a later cancellation has no effect', async (t) => {
  const cancellation = new Cancellation()

  t.equal(await cancellation.wait((done) => void done(1)), 1)
  await t.rejects(
    cancellation.wait((_, fail) => void fail(new Error('no'))),
    { message: 'no' },
  )
  const undo = (): void => void t.fail('over')
  await cancellation.wait<void>((done) => {
    setImmediate(done)
    return undo
  })
  cancellation.cancel(new Error('left'))
})

t.test('a cancelled wait is undone, and a wait of a request that is already cancelled does not start', async (t) => {
  const cancellation = new Cancellation()
  let undone = 0
  const waiting = cancellation.wait(() => () => undone++)

  cancellation.cancel(new Error('left'))

  await t.rejects(waiting, { message: 'left' })
  t.equal(undone, 1)
  await t.rejects(
    cancellation.wait(() => t.fail('begun') as never),
    { message: 'left' },
  )
  await t.rejects(sleep(cancellation, 0), { message: 'left' })
})

t.test('a promise that cannot be undone is abandoned on cancellation, and its later failure is ignored', async (t) => {
  const cancellation = new Cancellation()
  t.equal(await unlessCancelled(cancellation, Promise.resolve(1)), 1)
  let fail: ((error: Error) => void) | undefined
  const waiting = unlessCancelled(cancellation, new Promise((_, reject) => (fail = reject)))

  cancellation.cancel(new Error('left'))

  await t.rejects(waiting, { message: 'left' })
  await t.rejects(unlessCancelled(cancellation, Promise.reject(new Error('not waited for'))), { message: 'left' })
  fail!(new Error('later'))
  await new Promise(setImmediate)
})
