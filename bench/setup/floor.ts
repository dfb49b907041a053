/**
 * The floor of the gateway's own stack: a Fastify route that writes what `undici.dispatch` receives straight to the
 * response, with an access token added and no feature at all. `node floor.js PORT ORIGIN`
 */
import Fastify from 'fastify'
import { Pool } from 'undici'
import type { Dispatcher } from 'undici'

const [port, origin = ''] = process.argv.slice(2)
const authorization = `Bearer ${'x'.repeat(1500)}`
const NOT_PASSED_ON = new Set(['host', 'connection', 'authorization'])
const pool = new Pool(origin, { connections: 128, pipelining: 1 })
const app = Fastify({ logger: false })
// Bodies are not read.
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, _payload, done) => done(null))

app.all('/*', (request, reply) => {
  const { raw } = request
  const headers: string[] = []
  for (let index = 0; index < raw.rawHeaders.length; index += 2) {
    if (!NOT_PASSED_ON.has(raw.rawHeaders[index]!.toLowerCase())) {
      headers.push(raw.rawHeaders[index]!, raw.rawHeaders[index + 1]!)
    }
  }
  headers.push('authorization', authorization)
  reply.hijack()
  const response = reply.raw
  const handler: Dispatcher.DispatchHandler = {
    onConnect: () => undefined,
    onHeaders(status: number, head: Buffer[], resume: () => void) {
      response.on('drain', resume)
      response.writeHead(
        status,
        head.map((text) => text.toString('latin1')),
      )
      return true
    },
    // Without its caller a response is read to its end.
    onData: (chunk: Buffer) => response.write(chunk) || response.destroyed,
    onComplete: () => void response.end(),
    onError: (error: Error) => void response.destroy(error),
  }
  pool.dispatch(
    {
      path: raw.url!,
      method: raw.method as Dispatcher.HttpMethod,
      headers,
      body: raw.method === 'GET' || raw.method === 'HEAD' ? null : raw,
    },
    handler,
  )
})
await app.listen({ host: '127.0.0.1', port: Number(port) })
