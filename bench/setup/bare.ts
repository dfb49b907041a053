/** The peer: @fastify/http-proxy that only verifies the certificate and adds a header. `node bare.js PORT ORIGIN` */
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { Agent } from 'undici'

const [port, upstream = ''] = process.argv.slice(2)
const authorization = `Bearer ${'x'.repeat(1500)}`
const app = Fastify({ logger: false })
await app.register(httpProxy, {
  upstream,
  // Options instead of an agent would leave the certificate unverified.
  undici: new Agent({ connections: 128, pipelining: 1 }),
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization }) },
})
await app.listen({ host: '127.0.0.1', port: Number(port) })
