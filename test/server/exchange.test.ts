import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'

import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'

import { beginExchange, lastExchange } from '../../src/server/exchange.ts'
import type { Exchange } from '../../src/server/exchange.ts'
import { until } from '../support/until.ts'

/** A server that answers at once, and what it knows of its last request. */
async function serverOf(t: Test): Promise<{ readonly caller: Socket; readonly ended: Ended[] }> {
  const ended: Ended[] = []
  const app = Fastify()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  app.addHook('onRequest', (request, reply, next) => {
    const { socket } = request.raw
    const exchange = beginExchange(request, reply, () => {
      ended.push({ exchange, socket, headers: exchange.responseHeaders })
    })
    exchange.responseHeaders = [Buffer.from('odata-version'), Buffer.from('4.0')]
    next()
  })
  app.get('/', () => 'ok')
  app.post('/', () => 'ok')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const caller = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(async () => {
    caller.destroy()
    await app.close()
  })
  await once(caller, 'connect')
  return { caller, ended }
}

interface Ended {
  readonly exchange: Exchange
  /** The connection, as the server sees it. */
  readonly socket: Socket
  /** The response's headers while the exchange ended. */
  readonly headers: Exchange['responseHeaders']
}

t.test('a complete exchange is released by its connection, and releases the headers of the response', async (t) => {
  const { caller, ended } = await serverOf(t)

  caller.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => ended.length === 1)

  const [{ exchange, socket, headers }] = ended as [Ended]
  t.equal(lastExchange(socket), undefined)
  t.equal(headers?.length, 2, 'they were there for the log and the inspector')
  t.equal(exchange.responseHeaders, undefined)
})

t.test('a connection knows an exchange until its request is complete', async (t) => {
  const { caller, ended } = await serverOf(t)

  caller.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhalf ')
  await until(() => ended.length === 1)

  const [{ exchange, socket }] = ended as [Ended]
  t.equal(lastExchange(socket), exchange)
})
