import type { Socket } from 'node:net'

import t from 'tap'
import type { Test } from 'tap'

import { authorityRequest } from '../../src/credentials/authority-request.ts'
import { AuthorityFailure } from '../../src/credentials/failure.ts'
import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { dispatch } from '../../src/dynamics/dispatch.ts'
import type { Send } from '../../src/dynamics/send.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import type { OutboundAgent } from '../../src/outbound/agent.ts'
import { outbound, socketService, text } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(60_000)

interface SlowServer {
  readonly origin: string
  /** The path of each request that arrived. */
  readonly paths: string[]
  /** Its connections. */
  readonly connections: Socket[]
  /** Answers the last request on the only connection. */
  readonly answer: () => void
  /** An agent with one connection. */
  readonly agent: OutboundAgent
}

/** A server that answers when the test says so. */
async function slowServer(t: Test): Promise<SlowServer> {
  const paths: string[] = []
  const connections: Socket[] = []
  const origin = await socketService(t, (socket) => {
    connections.push(socket)
    socket.on('data', (data) => paths.push(data.toString().split(' ')[1]!))
  })
  const agent = createAgent({ connectTimeout: 5000, connections: 1 })
  t.teardown(() => agent.destroy())
  const answer = (): void => void connections[0]!.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
  return { origin, paths, connections, answer, agent }
}

/** Sends to Dynamics without the rest of the gateway. */
function sender({ agent, origin }: SlowServer): Send {
  const gate = { holdReason: () => undefined, connected() {} }
  const send = dispatch(agent, origin, { head: 30_000, idle: 30_000 }, gate)
  return (request) => send({ ...request, authorization: 'Bearer token' })
}

t.test('a request to the authority whose time is over does not wait for a connection any longer', async (t) => {
  const server = await slowServer(t)
  const { origin, agent, paths, connections, answer } = server
  const send = (path: string, signal: AbortSignal): ReturnType<typeof authorityRequest> =>
    authorityRequest(
      { method: 'GET', url: new URL(path, origin) },
      { dispatcher: agent.reads, signal, plainHttp: 'allowed' },
    )
  const stalled = send('/stalled', new AbortController().signal)
  await until(() => paths.length === 1)

  const late = new AbortController()
  const queued = send('/queued', late.signal)
  const last = send('/last', AbortSignal.timeout(60_000))
  late.abort(new AuthorityFailure({ what: 'It took too long.', why: '-', todo: '-' }, false))
  await t.rejects(queued, { message: `It took too long (waiting for ${new URL(origin).host}).` })

  answer()
  await stalled
  await until(() => paths.length === 2)
  answer()
  t.equal((await last).status, 200)
  t.same(paths, ['/stalled', '/last'], 'it is never sent')
  t.equal(connections.length, 1, 'and ends no connection of others')
})

t.test('a signal that aborts later changes nothing, and one that has aborted sends nothing', async (t) => {
  const server = await slowServer(t)
  const { origin, agent, paths, answer } = server
  const get = async (path: string, signal?: AbortSignal): Promise<unknown> =>
    (await agent.reads.request({ origin, path, method: 'GET', ...(signal && { signal }) })).body.json()
  await t.rejects(get('/aborted', AbortSignal.abort(new Error('too late'))), { message: 'too late' })

  const first = get('/first')
  const leaver = new AbortController()
  const second = get('/second', leaver.signal)
  for (const sent of [1, 2]) {
    await until(() => paths.length === sent)
    answer()
  }
  t.same(await Promise.all([first, second]), [{}, {}])
  leaver.abort()
  t.same(paths, ['/first', '/second'])
})

t.test('a cancelled request to Dynamics leaves the queue at once', async (t) => {
  const server = await slowServer(t)
  const { paths, connections, answer } = server
  const send = sender(server)
  const first = send(outbound({ path: '/first' }))
  await until(() => paths.length === 1)

  const cancellation = new Cancellation()
  const queued = send(outbound({ path: '/queued', cancellation }))
  const last = send(outbound({ path: '/last' }))
  const left = t.rejects(queued, { message: 'the caller left' })
  cancellation.cancel(new Error('the caller left'))
  await left

  answer()
  t.equal(await text(await first), '{}')
  await until(() => paths.length === 2)
  answer()
  t.equal(await text(await last), '{}')
  t.same(paths, ['/first', '/last'])
  t.equal(connections.length, 1)
})

t.test('a request that waited can be cancelled on its connection, too', async (t) => {
  const server = await slowServer(t)
  const { paths, connections, answer } = server
  const send = sender(server)
  const first = send(outbound({ path: '/first' }))
  const cancellation = new Cancellation()
  const queued = send(outbound({ path: '/queued', cancellation }))
  await until(() => paths.length === 1)
  answer()
  t.equal(await text(await first), '{}')
  await until(() => paths.length === 2)

  const left = t.rejects(queued, { message: 'the caller left' })
  cancellation.cancel(new Error('the caller left'))
  await left
  await until(() => connections[0]!.destroyed)
})
