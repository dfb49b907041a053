/**
 * The floor of a response from memory: a Fastify route that returns one constant response, with the head of the
 * gateway's responses, and without features. `node constant.js PORT ORIGIN`
 */
import Fastify from 'fastify'

import { dataverseHead } from './dataverse-head.ts'
import { pageOf } from './pages.ts'

const [port, origin = ''] = process.argv.slice(2)
const root = '/api/data/v9.2'
const bodies = new Map(
  [
    ['/accounts', pageOf(origin + root, 'accounts', 1000)],
    ['/tasks100k', pageOf(origin + root, 'tasks100k', 100_000)],
  ].map(([path, page]) => [`${root}${path}`, String(page)]),
)
const head = Object.fromEntries([
  ['content-type', 'application/json; odata.metadata=minimal'],
  ...dataverseHead.filter(([name]) => !/^(?:set-cookie|strict-)/i.test(name)),
])
const app = Fastify({ logger: false })

app.get('/*', ({ raw }, reply) => {
  const body = bodies.get(raw.url!)!
  reply.hijack()
  reply.raw.writeHead(200, { ...head, 'content-length': body.length })
  reply.raw.end(body, 'latin1')
})
await app.listen({ host: '127.0.0.1', port: Number(port) })
