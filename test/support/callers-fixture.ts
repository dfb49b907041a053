import type { Server } from 'node:http'

import Fastify from 'fastify'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'

import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/schema.ts'
import browser from '../../src/door/browser.ts'
import head from '../../src/door/head.ts'
import host from '../../src/door/host.ts'
import addedHeaders from '../../src/server/added-headers.ts'
import cors from '../../src/server/cors.ts'
import { beginExchange } from '../../src/server/exchange.ts'
import type { Test } from './tap-test.ts'

/** A gateway's settings with `changes`. */
function settingsWith(changes: Partial<Settings> = {}): Settings {
  return {
    ...loadSettings({ DYNAMICS_URL: 'http://localhost:1', CREDENTIAL: 'managed-identity' }, undefined),
    ...changes,
  }
}

/**
 * A small server with the hooks of the door (`cors`, `head`, `host` and `browser`) and those of `addHooks`. A request
 * that passes gets 200 with its caller. `passed` lists the targets of those requests.
 */
export async function callersFixture(
  t: Test,
  changes: Partial<Settings> = {},
  addHooks: (app: FastifyInstance, settings: Settings) => void = () => undefined,
): Promise<{ readonly app: FastifyInstance; readonly server: Server; readonly passed: string[] }> {
  const settings = settingsWith(changes)
  const passed: string[] = []
  const app = Fastify({ rewriteUrl: () => '/', http: { requireHostHeader: false, maxHeaderSize: 262_144 } })
  app.server.maxHeadersCount = 0
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.decorateRequest('exchange')
  app.addHook('onRequest', (request, reply, done) => {
    beginExchange(request, reply, () => undefined)
    done()
  })
  app.register(addedHeaders)
  app.register(cors, settings)
  app.register(head, settings)
  app.register(host, settings)
  app.register(browser, settings)
  addHooks(app, settings)
  app.register(((scope, _options, registered) => {
    scope.route({
      method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: '/',
      handler: (request, reply) => {
        passed.push(request.originalUrl)
        reply.send({ caller: request.caller?.name })
      },
    })
    registered()
  }) satisfies FastifyPluginCallback)
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, server: app.server as Server, passed }
}
