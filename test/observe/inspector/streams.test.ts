import { once } from 'node:events'
import { createServer, get } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

import t from 'tap'

import { capture } from '../../../src/observe/inspector/capture.ts'
import type { Captured } from '../../../src/observe/inspector/capture.ts'
import { createWatchers } from '../../../src/observe/inspector/watchers.ts'
import { until } from '../../support/until.ts'

/** A browser that does not read never receives all of it. */
const MORE_THAN_SOCKETS_BUFFER = 'x'.repeat(16 * 1024 * 1024)

t.test('a fifth browser replaces the first, and one that does not read gets no updates', async (t) => {
  const asked: number[] = []
  const watchers = createWatchers(
    (seen) => {
      asked.push(seen)
      return { text: seen === 1 ? MORE_THAN_SOCKETS_BUFFER : `data: ${seen}\n\n`, seen: seen + 1 }
    },
    () => undefined,
  )
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    watchers.add(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const open = async () => {
    const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
    return response
  }
  const first = await open()
  for (let more = 0; more < 3; more++) (await open()).pause()
  let end = ''
  ;(await open()).setEncoding('latin1').on('data', (piece: string) => (end = (end + piece).slice(-20)))
  t.match(await text(first), /data: 0/, 'the first stream is ended')
  t.equal(watchers.count(), 4)
  watchers.notify()
  await until(() => end.endsWith('data: 2\n\n'))
  watchers.notify()
  await until(() => end.endsWith('data: 3\n\n'))
  t.same(asked.sort(), [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3], 'only the browser that reads gets more updates')
  watchers.close()
})

t.test('a stream that cannot end yet gets nothing more after its end', async (t) => {
  const watchers = createWatchers(
    (seen) => ({ text: 'data: 0\n\n', seen }),
    () => undefined,
  )
  let answerFirst: (() => void) | undefined
  const server = createServer((request, response) => {
    if (request.url === '/first') answerFirst = () => response.end('first')
    else watchers.add(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await until(() => watchers.count() === 1)

  watchers.notify()
  watchers.close()
  watchers.notify()
  t.equal(watchers.count(), 0)
  await sleep(300)
  answerFirst!()
  t.match(await text(socket), /first.*data: 0\n\n\r\n0\r\n\r\n$/s)
})

t.test('bodies are captured decoded, while there is memory for them', async (t) => {
  const captured = async (body: Buffer, headers: Record<string, string>, room: number): Promise<Captured> => {
    let free = room
    const done = new Promise<Captured>((resolve) => {
      const memory = {
        reserve: (bytes: number) => bytes <= free && ((free -= bytes), true),
        release: (bytes: number) => void (free += bytes),
      }
      const server = createServer((request, response) => {
        const take = capture({ target: '/accounts', request, response }, memory)
        request.resume().on('end', () => {
          response.writeHead(200)
          response.end('{}', () => {
            resolve(take())
            server.close()
          })
        })
      }).listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo
        void fetch(`http://127.0.0.1:${port}/accounts`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json', connection: 'close', ...headers },
        }).then((response) => response.text())
      })
    })
    const result = await done
    t.equal(free, room)
    return result
  }
  const json = Buffer.from('{"name":"Contoso"}')
  t.match(await captured(json, {}, 1000), { requestBody: '{"name":"Contoso"}', responseBody: undefined })
  t.match(await captured(gzipSync(json), { 'content-encoding': 'gzip' }, 1000), { requestBody: '{"name":"Contoso"}' })
  t.match(await captured(json, { 'content-encoding': 'zstd' }, 1000), { requestBody: /^\(18 bytes in zstd\)$/ })
  t.match(await captured(json, {}, 5), { requestBody: undefined })
})

t.test('a browser without news gets a comment now and then, so that no proxy closes the stream', async (t) => {
  let left = 0
  const watchers = createWatchers(
    (seen) => ({ text: '', seen }),
    () => left++,
    10,
  )
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    watchers.add(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
  let received = ''
  response.setEncoding('latin1').on('data', (piece: string) => (received += piece))

  await until(() => received.startsWith(':\n\n:\n\n'))

  watchers.close()
  await until(() => left === 1)
})
