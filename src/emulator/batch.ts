import { randomUUID } from 'node:crypto'
import type { Environment } from './environment.ts'
import { isOwn } from './environment.ts'
import { badPayload, DataverseError, noMethod } from './errors.ts'
import { readParts, type Part } from './multipart.ts'
import { headerOf, type Identity, type Operation, type Reply } from './operation.ts'
import { preferencesOf } from './prefer.ts'
import { errorReply, execute } from './resources.ts'

/** Most operations in one batch. */
const mostOperations = 1000

/** What a `$batch` needs beside the environment. */
export interface BatchSurroundings {
  /** Whom a part runs as, by its own headers. */
  identify(headers: ReadonlyMap<string, string>): Identity
  /** A scripted fault for one part; `undefined` runs it. */
  fault(method: string, path: string): Reply | undefined
}

/**
 * Answers `POST $batch`. The status is 200, or that of the first failure when processing stopped there; the
 * body is multipart in both cases.
 */
export function executeBatch(environment: Environment, operation: Operation, around: BatchSurroundings): Reply {
  if (operation.method !== 'POST') throw noMethod(operation.method)
  const { continueOnError, applied } = preferencesOf(operation)
  const parts = partsOf(environment, operation.headers.get('content-type') ?? '', operation.body)
  if (count(environment, parts) > mostOperations) throw badPayload(`A batch holds more than ${mostOperations} operations.`)

  const boundary = `batchresponse_${randomUUID()}`
  let text = ''
  let status = 200
  for (const part of parts) {
    const { lines, failed } = isChangeSet(part)
      ? changeSet(environment, operation, part, around)
      : alone(environment, operation, part, around)
    text += `--${boundary}\r\n${lines}\r\n`
    if (failed !== undefined && !continueOnError) {
      status = failed
      break
    }
  }
  return {
    status,
    headers: [
      ['Content-Type', `multipart/mixed; boundary=${boundary}`],
      ...(applied === undefined ? [] : [['Preference-Applied', applied] as const]),
    ],
    body: `${text}--${boundary}--\r\n`,
  }
}

interface Outcome {
  readonly lines: string
  readonly failed: number | undefined
}

function alone(environment: Environment, outer: Operation, part: Part, around: BatchSurroundings): Outcome {
  const reply = run(environment, outer, part, around, undefined)
  return { lines: httpLines(reply, undefined), failed: reply.status >= 400 ? reply.status : undefined }
}

function changeSet(environment: Environment, outer: Operation, part: Part, around: BatchSurroundings): Outcome {
  const parts = partsOf(environment, part.headers.get('content-type') ?? '', part.body)
  const references = new Map<string, string>()
  const boundary = `changesetresponse_${randomUUID()}`
  let lines = `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n`
  try {
    environment.store.transaction(() => {
      for (const each of parts) {
        const reply = run(environment, outer, each, around, references)
        if (reply.status >= 400) throw new Rollback(reply)
        const id = each.headers.get('content-id')
        const created = /\/([^/]+\([^)]*\))$/.exec(headerOf(reply, 'odata-entityid') ?? '')?.[1]
        if (id !== undefined && created !== undefined) references.set(id, created)
        lines += `--${boundary}\r\n${httpLines(reply, id)}\r\n`
      }
    })
  } catch (cause) {
    // The one part that failed stands for the whole change set.
    if (cause instanceof Rollback) return { lines: httpLines(cause.reply, undefined), failed: cause.reply.status }
    throw cause
  }
  return { lines: `${lines}--${boundary}--\r\n`, failed: undefined }
}

class Rollback extends Error {
  readonly reply: Reply

  constructor(reply: Reply) {
    super('rolled back')
    this.reply = reply
  }
}

function run(
  environment: Environment, outer: Operation, part: Part, around: BatchSurroundings,
  references: Map<string, string> | undefined,
): Reply {
  try {
    const { method, target, headers, body } = requestIn(environment, outer, part)
    if (references !== undefined && method === 'GET') throw badPayload('A GET may not stand in a change set.')
    const identity = environment.switches.callersInBatchParts ? around.identify(headers) : outer.identity
    const scripted = around.fault(method, target)
    if (scripted !== undefined) return scripted
    const operation = { method, target, headers, body, origin: outer.origin, identity }
    return execute(environment, references === undefined ? operation : { ...operation, references })
  } catch (cause) {
    if (cause instanceof DataverseError) return errorReply(cause)
    throw cause
  }
}

function requestIn(
  environment: Environment, outer: Operation, part: Part,
): { readonly method: string, readonly target: string, readonly headers: Map<string, string>, readonly body: Buffer } {
  if (!/^application\/http\b/i.test(part.headers.get('content-type') ?? '')) {
    throw badPayload('The content type of a part must be application/http.')
  }
  if (!/^binary$/i.test(part.headers.get('content-transfer-encoding') ?? '')) {
    throw badPayload('The Content-Transfer-Encoding of a part must be binary.')
  }
  const { line, headers, body } = part.http(environment.switches.batchLines === 'strict')
  const [, method, url] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(line) ?? []
  if (method === undefined || url === undefined) throw badPayload(`The request line '${line}' is invalid.`)
  const host = headers.get('host')
  if (host !== undefined && !environment.origins.some((origin) => origin.endsWith(`//${host.toLowerCase()}`))) {
    throw badPayload(`The Host header '${host}' of a part is not '${new URL(outer.origin).host}'.`)
  }
  const length = headers.get('content-length')
  if (length !== undefined && Number(length) !== body.length) {
    throw badPayload(`The Content-Length ${length} of a part is not the length of its body, ${body.length}.`)
  }
  if (headers.get('content-type') === undefined && body.length > 0) headers.set('content-type', 'application/json')
  return { method, target: targetIn(environment, outer, url), headers: inherited(outer, headers), body }
}

/** Parts take over what the outer request says about versions and preferences of the whole. */
function inherited(outer: Operation, headers: Map<string, string>): Map<string, string> {
  for (const name of ['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid']) {
    const value = outer.headers.get(name)
    const own = ['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid'].some((each) => headers.has(each))
    if (value !== undefined && !own) headers.set(name, value)
  }
  return headers
}

function targetIn(environment: Environment, outer: Operation, url: string): string {
  const root = /^\/api\/data\/v9\.\d/.exec(outer.target)?.[0] ?? '/api/data/v9.2'
  if (url.startsWith('$')) return `${root}/${url}`
  if (url.startsWith('/')) return url
  if (!/^[a-z]+:\/\//i.test(url)) return `${root}/${url}`
  if (!isOwn(environment, url)) {
    throw badPayload(`Microsoft.OData.ODataException: The URI '${url}' is not valid because it is not based on `
      + `'${outer.origin}${root}/'.`)
  }
  return url.replace(/^[a-z]+:\/\/[^/?#]+/i, '')
}

function partsOf(environment: Environment, contentType: string, body: Buffer): Part[] {
  const [, quoted, bare] = /^multipart\/mixed\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType) ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) {
    throw new DataverseError(415, '0x80060888', `The content type '${contentType}' is not a multipart/mixed with a boundary.`)
  }
  return readParts(body, boundary, environment.switches.batchLines === 'strict')
}

function isChangeSet(part: Part): boolean {
  return /^multipart\/mixed\b/i.test(part.headers.get('content-type') ?? '')
}

function count(environment: Environment, parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + (isChangeSet(part)
    ? partsOf(environment, part.headers.get('content-type') ?? '', part.body).length
    : 1), 0)
}

function httpLines(reply: Reply, contentId: string | undefined): string {
  const body = reply.body === undefined ? '' : reply.body.toString()
  const id = contentId === undefined ? '' : `Content-ID: ${contentId}\r\n`
  const headers = [...reply.headers, ['OData-Version', '4.0'] as const, ...(reply.status >= 400 ? [['REQ_ID', randomUUID()] as const] : [])]
  return `Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n${id}\r\n`
    + `HTTP/1.1 ${reply.status} ${reasons[reply.status] ?? 'Status'}\r\n`
    + `${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK', 201: 'Created', 204: 'No Content', 206: 'Partial Content', 304: 'Not Modified', 400: 'Bad Request',
  401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 412: 'Precondition Failed',
  415: 'Unsupported Media Type', 429: 'Too Many Requests', 500: 'Internal Server Error', 503: 'Service Unavailable',
}
