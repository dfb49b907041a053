import { Readable } from 'node:stream'

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

import { BadRequest, NotFound } from '../../errors.ts'
import { addHeaders } from '../../server/added-headers.ts'
import { asset } from '../assets.ts'
import { tokenOf } from './access.ts'
import { curlLine } from './curl.ts'
import type { Inspector } from './inspector.ts'
import type { InspectorRecord } from './record.ts'

interface Options {
  readonly inspector: Inspector
}

/** Only the gateway's own files are loaded, and text never becomes markup. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

/** Pages of other origins cannot send this header. */
const WRITE_HEADER = 'x-inspector'

/** The inspector's page and its API. `inspector-access` protects all of it. */
export async function inspectorRoutes(app: FastifyInstance, { inspector }: Options): Promise<void> {
  const { keys, records } = inspector
  app.addHook('onRequest', async (_request, reply) => void reply.headers(PAGE_HEADERS))

  app.get('/-/inspector', async (request, reply) => {
    const { format } = request.query as { format?: unknown }
    if (format === 'json') return reply.type(JSON_TYPE).send(Readable.from(jsonList(request)))
    if (tokenOf(request) === undefined) return reply.type(HTML).send(asset('inspector.html'))
    // Moves the token from the address bar, and so from the history, to a cookie that no script can read.
    const isEncrypted = 'encrypted' in request.raw.socket
    return reply.header('set-cookie', keys.setCookie(isEncrypted)).redirect('/-/inspector', 303)
  })
  app.get('/-/inspector/script', async (_request, reply) => reply.type(SCRIPT).send(asset('inspector.js')))
  app.get('/-/inspector/style', async (_request, reply) =>
    reply.type(CSS).send(asset('look.css') + asset('inspector.css')),
  )
  app.get('/-/inspector/requests/:number', async (request, reply) => {
    const number = Number((request.params as { number: string }).number)
    const record = records.get(number)
    if (record === undefined) throw new NotFound('. Newer requests have displaced this one')
    return reply.type(JSON_TYPE).send(JSON.stringify({ number, ...withLine(record, request) }))
  })
  app.get('/-/inspector/events', (request, reply) => stream(request, reply, inspector))

  app.post('/-/inspector/capture/:state', async (request, reply) => {
    const { state } = request.params as { state: string }
    mustBeMeant(request)
    if (state !== 'on' && state !== 'off') throw new NotFound('')
    if (!inspector.setCapture(state)) throw new BadRequest('Open the page first: values are captured while it is open.')
    return reply.code(204).send()
  })
  app.post('/-/inspector/clear', async (request, reply) => {
    mustBeMeant(request)
    inspector.clear()
    return reply.code(204).send()
  })

  /** All records; each is serialized after the previous one was sent. */
  function* jsonList(request: FastifyRequest): Generator<string> {
    let separator = '{"requests":[\n'
    for (const { number, entry } of records.after(0).toReversed()) {
      yield separator + JSON.stringify({ number, ...withLine(entry, request) })
      separator = ',\n'
    }
    yield separator.startsWith('{') ? '{"requests":[]}\n' : '\n]}\n'
  }
}

const HTML = 'text/html; charset=utf-8'
const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

function mustBeMeant({ raw }: FastifyRequest): void {
  if (raw.headers[WRITE_HEADER] === undefined) throw new BadRequest(`Send the header ${WRITE_HEADER}.`)
}

/** A record with its curl command, and whether the page can send it again. */
function withLine(record: InspectorRecord, request: FastifyRequest): object {
  const { captured, method, path, caller, isPlain } = record
  const target = captured?.target ?? path
  const headers = captured?.headers ?? []
  const isComplete = captured !== undefined || isPlain
  const scheme = 'encrypted' in request.raw.socket ? 'https' : 'http'
  const curl = curlLine({
    method,
    url: `${scheme}://${request.head.host ?? 'localhost'}${target}`,
    headers,
    body: captured?.requestBody,
  })
  // A page can only repeat requests without a key: with its own key it would be another caller.
  const isRead = method === 'GET' || method === 'HEAD'
  const again = isRead && isComplete && caller === 'anybody' ? { method, target, headers } : undefined
  return { ...record, curl, curlIsComplete: isComplete, again }
}

function stream({ exchange }: FastifyRequest, reply: FastifyReply, inspector: Inspector): void {
  const headers: string[] = ['content-type', 'text/event-stream; charset=utf-8']
  for (const [name, value] of Object.entries(PAGE_HEADERS)) headers.push(name, value)
  addHeaders(headers, exchange)
  reply.hijack()
  reply.raw.writeHead(200, headers)
  inspector.watch(reply.raw)
}
