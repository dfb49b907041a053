import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { keyHash } from '../../src/callers/api-key.ts'
import { readNode } from '../../src/config/read-node.ts'
import { callers as schema } from '../../src/config/settings/callers.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'

t.setTimeout(600_000)

/** The number of concurrency slots, and of callers that occupy them without reading. */
const SLOTS = 6

t.test('callers that stop reading occupy their slots until bodyTimeout, then others are served', async (t) => {
  // On a busy machine the slow readers may take too long to arrive. Then it is repeated with more time.
  for (const bodyTimeout of [3000, 12_000, 48_000]) {
    if (await areAllThere(t, bodyTimeout)) return
  }
  t.fail('the machine is too slow')
})

/** Runs the scenario. Returns `false` if the first slow reader was cut off before all had arrived. */
async function areAllThere(t: Test, bodyTimeout: number): Promise<boolean> {
  const { port, address } = await gatewayForRawDynamics(
    t,
    (settings) => ({
      ...settings,
      bodyTimeout,
      callers: readNode(
        schema,
        ['slow', 'other'].map((name) => ({ name, keys: [keyHash(name)] })),
        { nameOf: (name) => name, source: { env: {}, file: () => '' }, errors: [] },
      ),
      targets: settings.targets.map((target) => ({ ...target, concurrency: SLOTS })),
    }),
    (request) => (request.startsWith('GET /api/data/v9.2/large') ? 'endless' : Buffer.from('{"value":[]}')),
  )
  const ask = async (): Promise<number> =>
    (await fetch(`${address}/accounts`, { headers: { 'x-api-key': 'other' } })).status
  t.equal(await ask(), 200)

  const began = performance.now()
  const readers = await Promise.all(Array.from({ length: SLOTS }, () => stalledReader(t, port)))
  const semaphore = await slotsOf(address)
  let served = 0
  const others = Promise.all(Array.from({ length: 2 * SLOTS }, () => ask().finally(() => served++)))
  while (served === 0 && (await slotsOf(address))[1] === 0) await pause(10)
  const servedEarly = served
  const alive = (await fetch(`${address}/-/livez`)).status
  const inTime = performance.now() - began < bodyTimeout
  t.same(new Set(await others), new Set([200]), 'all others are served in the end')
  // A caller that resumes reading in time is not cut off.
  while ((await slotsOf(address))[0] > 0) await pause(10)
  await Promise.all(readers.map(({ end }) => end()))
  if (!inTime) return false

  t.same(semaphore, [SLOTS, 0], 'all slots are occupied')
  t.equal(servedEarly, 0, 'others wait')
  t.equal(alive, 200, 'the gateway itself answers')
  t.same(await slotsOf(address), [0, 0], 'no slot is lost, and no truncated response looks complete')
  return true
}

t.test('a caller that stops reading and disconnects releases its slot at once', async (t) => {
  const { port, address } = await gatewayForRawDynamics(
    t,
    (settings) => ({
      ...settings,
      bodyTimeout: 600_000,
      targets: settings.targets.map((target) => ({ ...target, concurrency: SLOTS })),
    }),
    (request) => (request.startsWith('GET /api/data/v9.2/large') ? 'endless' : Buffer.from('{"value":[]}')),
  )
  const readers = await Promise.all(Array.from({ length: SLOTS }, () => stalledReader(t, port)))
  const other = fetch(`${address}/accounts`)
  while ((await slotsOf(address))[1] === 0) await pause(10)

  readers.forEach(({ leave }) => leave())
  t.equal((await other).status, 200)
  while ((await slotsOf(address))[0] > 0) await pause(10)
})

/** Reads only the head of an endless response. Its socket emits `end` when the gateway cuts it off. */
async function stalledReader(
  t: Test,
  port: number,
): Promise<{ readonly end: () => Promise<void>; readonly leave: () => void }> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.write('GET /large HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: slow\r\n\r\n')
  await once(socket, 'readable')
  return {
    leave: () => socket.destroy(),
    end: async () => {
      socket.resume()
      if (!socket.closed) await once(socket, 'close')
    },
  }
}

/** Requests at Dynamics, and requests that wait for a slot. */
async function slotsOf(address: string): Promise<readonly [running: number, waiting: number]> {
  const text = await (await fetch(`${address}/-/metrics`)).text()
  const gauge = (name: string): number => Number(new RegExp(`^${name}(?:{.*})? (\\d+)$`, 'm').exec(text)?.[1])
  return [gauge('gateway_requests_running'), gauge('gateway_requests_waiting')]
}
