import t from 'tap'

import { Cancellation, sleep, unlessCancelled } from '../../src/dynamics/cancellation.ts'

t.test('notifies the holder once, and keeps the first reason', async (t) => {
  const cancellation = new Cancellation()
  const heard: string[] = []
  cancellation.hold(({ message }) => heard.push(message))

  cancellation.cancel(new Error('first'))
  cancellation.cancel(new Error('second'))

  t.same(heard, ['first'])
  t.match(cancellation.reason, { message: 'first' })
})

t.test('tells only the holder that took over last, whether or not the one before released it', async (t) => {
  const cancellation = new Cancellation()
  const heard: string[] = []
  const release = cancellation.hold(() => heard.push('before'))
  cancellation.hold(() => heard.push('after'))

  release()
  cancellation.cancel(new Error('left'))

  t.same(heard, ['after'])
})

t.test('notifies no one after the release', async (t) => {
  const cancellation = new Cancellation()
  const release = cancellation.hold(() => t.fail('released'))

  release()
  cancellation.cancel(new Error('left'))

  t.match(cancellation.reason, { message: 'left' })
})

t.test('tells who takes over a request that has ended already, at once', async (t) => {
  const cancellation = new Cancellation()
  cancellation.cancel(new Error('left'))
  const heard: string[] = []

  cancellation.hold(({ message }) => heard.push(message))()

  t.same(heard, ['left'])
})

t.test('a wait ends with what it waited for, and is then over', async (t) => {
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

t.test(
  'a wait of a request that is cancelled is undone, and one that was cancelled before does not begin',
  async (t) => {
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
  },
)

t.test('what cannot be cancelled is waited for until then, and its failure ends nothing', async (t) => {
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
