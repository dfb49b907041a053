import t from 'tap'
import type { Test } from 'tap'

import { get } from '../../src/commands/check/ask.ts'
import type { CheckContext } from '../../src/commands/check/step.ts'
import { authorityRequest } from '../../src/credentials/authority-request.ts'
import { network } from '../../src/credentials/network.ts'
import { post, redeem } from '../../src/credentials/token-endpoint.ts'
import { createAgent } from '../../src/outbound/agent.ts'
import type { OutboundAgent } from '../../src/outbound/agent.ts'
import { jsonReader } from '../../src/outbound/read-json.ts'
import { pause, socketService } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const TOKEN = '{"access_token":"abc","token_type":"Bearer","expires_in":3600}'
const RESPONSE = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${TOKEN.length}\r\n\r\n${TOKEN}`

interface ClosingServer {
  readonly origin: string
  /** The requests so far, each with its number on its connection. */
  readonly received: { readonly text: string; readonly onConnection: number }[]
  /** How many connections were opened. */
  readonly opened: () => number
  readonly agent: OutboundAgent
}

interface Behaviour {
  /** How many requests the server answers on its nth connection. */
  readonly answers?: (connection: number) => number
  readonly assumedUsed?: number
  /** The most connections. With one, each request waits until the connection is free. */
  readonly connections?: number
}

/** A server that answers one request on each connection, or `answers`, and closes it as the next one arrives. */
async function closingServer(
  t: Test,
  { answers = () => 1, assumedUsed = 100_000, connections = 1 }: Behaviour = {},
): Promise<ClosingServer> {
  const received: { text: string; onConnection: number }[] = []
  let opened = 0
  const origin = await socketService(t, (socket) => {
    let onConnection = 0
    const answered = answers(++opened)
    socket.on('data', (data) => {
      received.push({ text: data.toString(), onConnection: ++onConnection })
      if (onConnection <= answered) socket.write(RESPONSE)
      else socket.end()
    })
  })
  const idleTimes = { keep: 100_000, assumedUsed, assumedUnused: 100_000, traffic: 100_000 }
  const agent = createAgent({ connectTimeout: 5000, connections, idleTimes })
  t.teardown(() => agent.destroy())
  return { origin, received, opened: () => opened, agent }
}

/** The options of a request through `agent`. Plain HTTP is allowed, as for a managed identity. */
function optionsOf({ agent }: ClosingServer): Parameters<typeof authorityRequest>[1] {
  return { dispatcher: agent.reads, signal: AbortSignal.timeout(60_000), plainHttp: 'allowed' }
}

t.test('an idempotent request is repeated if its connection was just closed', async (t) => {
  const kinds: Record<string, (server: ClosingServer) => Promise<unknown>> = {
    "an issuer's keys": ({ agent, origin }) => jsonReader(agent.reads)(`${origin}/keys`),
    'a token or an exchange on behalf of a person': (server) =>
      network(optionsOf(server)).module.sendPostRequestAsync(`${server.origin}/token`, { body: 'grant_type=x' }),
    discovery: (server) =>
      authorityRequest({ method: 'GET', url: new URL(`${server.origin}/discovery`) }, optionsOf(server)),
    'a request of check': async ({ agent, origin }) =>
      get(
        { target: { url: { origin, apiRoot: '' }, requestTimeout: 60_000 }, agent: agent.reads } as CheckContext,
        '/WhoAmI',
      ),
    'the request for a device code': (server) => post(`${server.origin}/devicecode`, { a: 'b' }, optionsOf(server)),
  }
  for (const [name, send] of Object.entries(kinds)) {
    const server = await closingServer(t)
    await send(server)
    await t.resolves(send(server), name)
    t.same(
      server.received.map(({ onConnection }) => onConnection),
      [1, 2, 1],
      'the third one took a new connection',
    )
    t.equal(server.received[2]!.text, server.received[1]!.text, 'unchanged')
  }
})

t.test('a code or a refresh token is sent once, on a connection that is not about to close', async (t) => {
  const form = { grant_type: 'authorization_code', code: 'once' }

  const server = await closingServer(t)
  await redeem(`${server.origin}/token`, form, optionsOf(server))
  await t.rejects(redeem(`${server.origin}/token`, form, optionsOf(server)), { message: /UND_ERR_SOCKET/ })
  t.equal(server.received.length, 2)

  const shortLived = await closingServer(t, { assumedUsed: 20 })
  await redeem(`${shortLived.origin}/token`, form, optionsOf(shortLived))
  await pause(50)
  await redeem(`${shortLived.origin}/token`, form, optionsOf(shortLived))
  t.same(
    shortLived.received.map(({ onConnection }) => onConnection),
    [1, 1],
  )
})

t.test('a request is not repeated on a new connection', async (t) => {
  const server = await closingServer(t, { answers: () => 0 })
  await t.rejects(jsonReader(server.agent.reads)(`${server.origin}/keys`), { code: 'UND_ERR_SOCKET' })
  t.equal(server.received.length, 1)
})

t.test('a request without permission to repeat is not repeated', async (t) => {
  const { origin, received, agent } = await closingServer(t)
  const read = async (): Promise<unknown> =>
    (await agent.reads.request({ origin, path: '/', method: 'GET' })).body.json()
  await read()
  await t.rejects(read(), { code: 'UND_ERR_SOCKET' })
  t.equal(received.length, 2)
})

t.test('a request is repeated at most once', async (t) => {
  const { origin, received, opened, agent } = await closingServer(t, {
    answers: (connection) => (connection === 1 ? 1 : 0),
    connections: 8,
  })
  const read = jsonReader(agent.reads)
  agent.keepWarm!(origin)
  await until(() => opened() === 1)
  await read(`${origin}/keys`)
  await until(() => opened() === 2)
  // Until the connection of the first request is free again.
  await pause(20)

  await t.rejects(read(`${origin}/keys`), { code: 'UND_ERR_SOCKET' }, 'the reserve connection was closed, too')
  t.equal(received.length, 3)
})
