import t from 'tap'

import { outbound, pause, received, service, socketService, connectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

t.test("the caller's deadline ends the wait, with its own error", async (t) => {
  let gone = false
  const origin = await socketService(t, (socket) =>
    socket.resume().on('close', () => {
      gone = true
    }),
  )
  const { send, state } = connectionFixture(t, origin)

  // Long enough for a connection to be established.
  await t.rejects(send(outbound({ deadline: performance.now() + 2000 })), {
    code: 'GATEWAY_DYNAMICS_TOO_SLOW',
    statusCode: 504,
    message: /Prefer: wait/,
  })
  await until(() => gone && state().running === 0)
  t.pass('the request is ended, not only the wait')
})

t.test('a response that began in time may take longer', async (t) => {
  let end: (() => void) | undefined
  const origin = await service(t, (_, response) => {
    response.write('{')
    end = () => response.end('}')
  })
  const { send } = connectionFixture(t, origin)
  const deadline = performance.now() + 3000

  const { body } = await send(outbound({ deadline }))
  await until(() => performance.now() > deadline + 100)
  end!()
  t.equal((await body.bytes(100)).toString(), '{}')
})

t.test('the deadline also ends the wait for a slot', async (t) => {
  const origin = await socketService(t, () => {})
  const { send, state } = connectionFixture(t, origin, { concurrency: 1 })
  const first = outbound()
  const hangs = send(first)

  await t.rejects(send(outbound({ deadline: performance.now() + 100 })), { code: 'GATEWAY_DYNAMICS_TOO_SLOW' })
  t.match(state(), { running: 1, waiting: 0 })
  first.cancellation.cancel(new Error('left'))
  await t.rejects(hangs)
})

t.test('the total timeout ends a request, also during its response', async (t) => {
  const origin = await service(t, async (request, response) => {
    await received(request)
    if (request.url === '/begins') response.write('{')
  })
  const { send, state } = connectionFixture(t, origin, { totalTimeout: 3000 })

  const none = send(outbound({ path: '/hangs', method: 'POST' }))
  const { body } = await send(outbound({ path: '/begins' }))

  await t.rejects(none, { code: 'GATEWAY_DYNAMICS_TOO_SLOW', message: /TOTAL_TIMEOUT/ })
  await t.rejects(body.bytes(100), { code: 'GATEWAY_DYNAMICS_TOO_SLOW' })
  t.equal(state().running, 0)
})

t.test('each request has its own total timeout', async (t) => {
  const origin = await service(t, (request, response) => {
    if (request.url === '/quick') response.end()
  })
  const { send } = connectionFixture(t, origin, { totalTimeout: 3000 })

  const first = send(outbound({ path: '/hangs' }))
  await send(outbound({ path: '/quick' }))
  await pause(200)
  const second = send(outbound({ path: '/hangs' }))

  await t.rejects(first, { message: /TOTAL_TIMEOUT/ })
  await t.rejects(second, { message: /TOTAL_TIMEOUT/ })
})

t.test('the end of an unwanted response does not lift the total timeout of the next request', async (t) => {
  let end: (() => void) | undefined
  let hangs = false
  const origin = await service(t, (request, response) => {
    hangs = request.url === '/hangs'
    if (hangs) return
    response.write('{')
    end = () => response.end('}')
  })
  const { send, state } = connectionFixture(t, origin, { totalTimeout: 3000 })
  const first = outbound({ path: '/unwanted' })
  const { body } = await send(first)
  body.dump()

  // Both have the same cancellation.
  const second = send({ ...first, path: '/hangs' })
  await until(() => hangs)
  end!()
  await until(() => state().running === 1)

  await t.rejects(second, { message: /TOTAL_TIMEOUT/ })
})
