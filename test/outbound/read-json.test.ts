import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import t from 'tap'
import { Agent } from 'undici'

import { jsonReader } from '../../src/outbound/read-json.ts'

t.test('reads small JSON documents, and follows no redirects', async (t) => {
  const server = createServer((request, response) => {
    switch (request.url) {
      case '/good?a=1':
        return response.end('{"a":1}')
      case '/moved':
        return response.writeHead(302, { location: '/good?a=1' }).end()
      case '/large':
        return response.end(`"${'x'.repeat(2 * 1024 * 1024)}"`)
      default:
        return response.end('not JSON')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent()
  t.teardown(async () => {
    await agent.destroy()
    server.close()
  })
  const read = jsonReader(agent)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  t.same(await read(`${url}/good?a=1`), { a: 1 })
  await t.rejects(read(`${url}/moved`), { message: /status 302/ })
  await t.rejects(read(`${url}/large`), { message: /larger/ })
  await t.rejects(read(`${url}/text`), SyntaxError)
})
