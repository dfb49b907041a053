import { createServer } from 'node:http'

import t from 'tap'

import { beginExchange } from '../../src/server/exchange.ts'
import type { Exchange } from '../../src/server/exchange.ts'
import { fastifyApp } from '../../src/server/fastify-app.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'

t.test('a closed app removes its listeners from the server, which stays open', async (t) => {
  const server = createServer()
  server.on('clientError', () => undefined)
  const listeners = (): unknown[] => server.eventNames().map((name) => [name, server.listeners(name)])
  const before = listeners()

  for (let count = 0; count < 3; count++) {
    const app = fastifyApp(() => server, [''])
    await app.ready()
    await app.close()
  }

  t.same(listeners(), before)
})

t.test(
  'an error that is not one of the gateway is a 500 without its text, and its cause is kept for the log',
  async (t) => {
    const server = createServer()
    const app = fastifyApp((handler) => server.on('request', handler), [''])
    let exchange: Exchange | undefined
    app.decorateRequest('exchange')
    app.addHook('onRequest', (request, reply, done) => {
      exchange = beginExchange(request, reply, () => undefined)
      done()
    })
    app.get('/', () => {
      throw new TypeError('s3cret is not a function')
    })
    await app.ready()
    t.teardown(() => app.close())
    const port = await listenOnFreePort(t, server)

    const response = await fetch(`http://127.0.0.1:${port}/`)

    t.equal(response.status, 500)
    t.match(response.headers.get('content-type'), /^application\/json/)
    const text = await response.text()
    t.match(JSON.parse(text), { error: { code: 'GATEWAY_INTERNAL', message: /log has the cause/ } })
    t.notMatch(text, 's3cret')
    t.equal(exchange?.code, 'GATEWAY_INTERNAL')
    t.match(exchange?.causes?.join(), /TypeError/)
  },
)
