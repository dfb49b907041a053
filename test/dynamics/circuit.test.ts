import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import t from 'tap'

import { createCircuit } from '../../src/dynamics/circuit.ts'
import { listenOnFreePort, outbound, pause, socketService, connectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

t.test(
  'opens after five requests without a connection, refuses at once, and closes when Dynamics is back',
  async (t) => {
    const gone = createServer()
    const port = await listenOnFreePort(t, gone)
    await new Promise((resolve) => {
      gone.close(resolve)
    })
    const { send, state, events } = connectionFixture(t, `http://127.0.0.1:${port}`)
    const outcome = (): Promise<string | number> =>
      send(outbound({ method: 'POST' })).then(
        ({ status }) => status,
        ({ code }: { code: string }) => code,
      )

    for (let request = 0; request < 5; request++) t.equal(await outcome(), 'GATEWAY_DYNAMICS_UNREACHABLE')
    await t.rejects(send(outbound()), { code: 'GATEWAY_CIRCUIT_OPEN', statusCode: 503, retryAfter: 1 })
    t.equal(state().circuit, 'open')

    await pause(600)
    const probes = await Promise.all([outcome(), outcome(), outcome()])
    t.same(
      probes,
      ['GATEWAY_DYNAMICS_UNREACHABLE', 'GATEWAY_CIRCUIT_OPEN', 'GATEWAY_CIRCUIT_OPEN'],
      'one probe at a time',
    )

    const back = createServer((_, response) => response.end())
    await new Promise<void>((resolve) => {
      back.listen(port, '127.0.0.1', resolve)
    })
    t.teardown(() => back.close())
    t.equal((back.address() as AddressInfo).port, port)
    await until(async () => (await outcome()) === 200)
    t.equal(state().circuit, 'closed')
    t.same(
      events.filter(({ kind }) => kind === 'circuit'),
      [
        { kind: 'circuit', state: 'open', id: 'test' },
        { kind: 'circuit', state: 'closed' },
      ],
    )
  },
)

t.test('a probe that gets a connection closes the circuit, however long its response takes', async (t) => {
  const gone = createServer()
  const port = await listenOnFreePort(t, gone)
  await new Promise((resolve) => {
    gone.close(resolve)
  })
  const { send, state } = connectionFixture(t, `http://127.0.0.1:${port}`)
  for (let request = 0; request < 5; request++) await send(outbound({ method: 'POST' })).catch(() => {})
  const back = createServer()
  await new Promise<void>((resolve) => {
    back.listen(port, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    back.closeAllConnections()
    back.close()
  })
  await pause(600)

  const slow = outbound()
  const answer = send(slow)
  await until(() => state().circuit === 'closed')

  slow.cancellation.cancel(new Error('left'))
  await t.rejects(answer)
})

t.test('a probe that is cancelled makes room for the next', async (t) => {
  const { send } = connectionFixture(t, 'http://127.0.0.1:9')
  for (let request = 0; request < 5; request++) await send(outbound({ method: 'POST' })).catch(() => {})
  await pause(600)
  const left = outbound()
  left.cancellation.cancel(new Error('left'))

  await t.rejects(send(left), { message: 'left' })
  await t.rejects(send(outbound()), { code: 'GATEWAY_DYNAMICS_UNREACHABLE' })
})

t.test('concurrent failures open it once, and only consecutive failures count', async (t) => {
  const { send, events } = connectionFixture(t, 'http://127.0.0.1:9')
  await Promise.allSettled(Array.from({ length: 20 }, () => send(outbound({ method: 'POST' }))))
  t.equal(events.filter(({ kind }) => kind === 'circuit').length, 1)

  const circuit = createCircuit(() => t.fail('it stays closed'))
  for (let round = 0; round < 3; round++) {
    for (let failure = 0; failure < 4; failure++) circuit.failed(circuit.enter(), outbound().record)
    circuit.connected()
  }
})

t.test('failures after the connection is established do not open it', async (t) => {
  const origin = await socketService(t, (socket) => socket.once('data', () => socket.destroy()))
  const { send, state } = connectionFixture(t, origin)

  for (let request = 0; request < 10; request++) {
    await t.rejects(send(outbound({ method: 'POST' })), { code: 'GATEWAY_DYNAMICS_BROKE_OFF' })
  }
  t.equal(state().circuit, 'closed')
})

t.test('a request that waited for a slot while the circuit opened is refused at once', async (t) => {
  const { send, state } = connectionFixture(t, 'http://127.0.0.1:9', { concurrency: 1 })
  const outcomes = await Promise.all(
    Array.from({ length: 7 }, () => send(outbound({ method: 'POST' })).catch(({ code }: { code: string }) => code)),
  )

  t.same(outcomes, [
    ...Array.from({ length: 5 }, () => 'GATEWAY_DYNAMICS_UNREACHABLE'),
    'GATEWAY_CIRCUIT_OPEN',
    'GATEWAY_CIRCUIT_OPEN',
  ])
  t.match(state(), { circuit: 'open', running: 0, waiting: 0 })
})
