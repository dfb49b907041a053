import { createServer } from 'node:http'

import t from 'tap'

import { fastifyApp } from '../../src/server/fastify-app.ts'

t.test('an app that is closed leaves nothing on its server, which outlives it', async (t) => {
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
