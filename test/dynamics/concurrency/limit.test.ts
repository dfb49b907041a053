import { PassThrough } from 'node:stream'

import t from 'tap'

import { outbound, service, socketService, text, connectionFixture } from '../../support/connection-fixture.ts'
import { until } from '../../support/until.ts'

t.setTimeout(600_000)

t.test('no more requests are in flight than the limit allows, and all are answered', async (t) => {
  let running = 0
  let most = 0
  const origin = await service(t, (_, response) => {
    most = Math.max(most, ++running)
    setTimeout(() => {
      running--
      response.end('{}')
    }, 10)
  })
  const { send, state } = connectionFixture(t, origin, { concurrency: 5 })
  const requests = Array.from({ length: 50 }, () => outbound())

  await Promise.all(requests.map(async (request) => text(await send(request))))

  t.equal(most, 5)
  t.ok(requests.at(-1)!.timings.wait > 0)
  t.match(state(), { running: 0, waiting: 0 })
})

t.test('a slot is released when the body ends or fails', async (t) => {
  const origin = await socketService(t, (socket) =>
    socket.on('data', (head) => {
      const length = head.toString().includes('short') ? 5 : 1_000_000
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\nhello`)
      if (head.toString().includes('breaks')) setTimeout(() => socket.destroy(), 50)
    }),
  )
  const { send, state } = connectionFixture(t, origin)
  const given = (): Promise<void> => until(() => state().running === 0)

  await send(outbound({ path: '/short' }))
  await given()

  const open = outbound({ path: '/long' })
  await send(open)
  t.equal(state().running, 1, 'not released with the head')
  open.cancellation.cancel(new Error('left'))
  await given()

  await send(outbound({ path: '/breaks' }))
  await given()

  const { body } = await send(outbound({ path: '/long' }))
  await t.rejects(body.bytes(1))
  await given()

  await t.rejects(send(outbound({ path: '/long', cancellation: open.cancellation })), { message: 'left' })
  t.equal(state().running, 0, 'nothing arrived')
})

/** Rounds of 500 requests in which the limit must grow: two on a quiet machine. */
const MAX_ROUNDS = 40

t.test('starts at a hint of four, and grows while responses are not slower', async (t) => {
  let running = 0
  let most = 0
  const origin = await service(t, (_, response) => {
    most = Math.max(most, ++running)
    setTimeout(() => {
      running--
      response.setHeader('x-ms-dop-hint', '4')
      response.end('{}')
    }, 20)
  })
  const { send, state, events } = connectionFixture(t, origin, { concurrency: 20, queue: 2000 })
  await text(await send(outbound()))
  t.match(state(), { limit: 4, limitReason: 'hint', share: 4 })

  // On a busy machine some trials find that responses have become slower, so that growing takes more of them.
  const hasGrown = (): boolean =>
    most > 8 && events.some((event) => event.kind === 'concurrency' && event.reason === 'higher-is-better')
  for (let round = 0; round < MAX_ROUNDS && !hasGrown(); round++) {
    await Promise.all(Array.from({ length: 500 }, async () => text(await send(outbound()))))
  }

  t.ok(hasGrown(), `${most} at once`)
  t.ok(most <= 20, 'no more than the settings allow')
})

t.test('one noisy caller does not starve the others', async (t) => {
  const origin = await service(t, (_, response) => setTimeout(() => response.end(), 20))
  const { send } = connectionFixture(t, origin, { concurrency: 4, queue: 100 })
  const noisy = Array.from({ length: 200 }, () =>
    send(outbound({ fairnessKey: 'noisy' })).catch((error: Error) => error),
  )

  const quiet = await Promise.all(['ada', 'grace', 'edith'].map((fairnessKey) => send(outbound({ fairnessKey }))))

  t.same(
    quiet.map(({ status }) => status),
    [200, 200, 200],
  )
  const turnedAway = (await Promise.all(noisy)).filter((one) => one instanceof Error)
  t.equal(turnedAway.length, 99, '4 at once, 100 waiting, of which three made room')
  t.match(turnedAway, [{ code: 'GATEWAY_QUEUE_FULL' }])
})

t.test('stalled large uploads do not occupy all slots', async (t) => {
  const origin = await service(t, (request, response) => {
    request.resume().on('end', () => response.end('{}'))
  })
  const { send, state } = connectionFixture(t, origin, { concurrency: 4 })
  const uploads = Array.from({ length: 10 }, () =>
    outbound({ method: 'POST', body: new PassThrough(), bodyLength: 5_000_000, repeatable: 'never' }),
  )
  const stalled = uploads.map((upload) => send(upload).catch((error: Error) => error.message))
  await until(() => state().running === 3)

  t.equal(await text(await send(outbound())), '{}')
  t.equal(state().running, 3)
  for (const { cancellation } of uploads) cancellation.cancel(new Error('left'))
  t.same(new Set(await Promise.all(stalled)), new Set(['left']))
  await until(() => state().running === 0)
})

t.test('an upload that waits is sent when another has ended', async (t) => {
  const origin = await service(t, (request, response) => {
    request.resume().on('end', () => response.end('{}'))
  })
  const { send, state } = connectionFixture(t, origin, { concurrency: 4 })
  const bodies = Array.from({ length: 5 }, () => new PassThrough())
  const sent = bodies.map((body, index) =>
    send(
      outbound({ method: 'POST', body, bodyLength: 5_000_000, repeatable: 'never', fairnessKey: `key ${index % 2}` }),
    ),
  )
  await until(() => state().running === 3)
  for (const body of bodies) body.end(Buffer.alloc(5_000_000))

  for (const answer of await Promise.all(sent)) t.equal(await text(answer), '{}')
})
