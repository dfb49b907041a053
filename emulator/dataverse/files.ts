import { randomBytes } from 'node:crypto'

import type { Header, Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { badPayload, DataverseError, noMethod, noRow } from './errors.ts'
import type { StoredFile } from './file-store.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import type { Row } from './rows.ts'
import type { EntityType } from './schema.ts'
import { store } from './update.ts'

/** Bytes in one chunk, as sent in `x-ms-chunk-size`. */
export const CHUNK_BYTES = 4 * 1024 * 1024

/** Serves `accounts(…)/sample_file` and `…/$value`. */
export function fileColumn(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  column: string,
  plain: boolean,
): Reply {
  switch (operation.method) {
    case 'GET':
      return (plain ? download : asJson)(environment, operation, type, row, column)
    case 'PUT':
    case 'PATCH':
      return upload(environment, operation, type, row, column)
    case 'DELETE': {
      environment.files.files.delete(fileKey(type, row, column))
      store(environment, operation, type, row, { [column]: null, [`${column}_name`]: null })
      return { status: 204, headers: [] }
    }
    default:
      throw noMethod(operation.method)
  }
}

/** Stores a file in its column, and its id and name in the row. */
export function saveFile(
  environment: Environment,
  operation: Operation,
  type: EntityType,
  row: Row,
  column: string,
  file: StoredFile,
): string {
  const id = randomBytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  environment.files.files.set(fileKey(type, row, column), file)
  store(environment, operation, type, row, { [column]: id, [`${column}_name`]: file.name })
  return id
}

/** The file in a column, or 404. */
export function fileIn(environment: Environment, type: EntityType, row: Row, column: string): StoredFile {
  const file = environment.files.files.get(fileKey(type, row, column))
  if (file === undefined) {
    throw new DataverseError(
      404,
      '0x80040217',
      `No file attachment found for attribute: ${column} EntityId: ${String(row[type.key])}.`,
    )
  }
  return file
}

function upload(environment: Environment, operation: Operation, type: EntityType, row: Row, column: string): Reply {
  const { headers, body } = operation
  const options = queryOptions(splitTarget(operation.target).query)
  const name = options.get('x-ms-file-name') ?? headers.get('x-ms-file-name')
  const token = options.get('sessiontoken')
  if (token !== undefined) return chunk(environment, operation, type, row, token)
  if (name === undefined || name === '') {
    throw badPayload('The x-ms-file-name header or query option is missing.', type.set)
  }
  if (headers.get('x-ms-transfer-mode') === 'chunked') {
    if (body.length > 0) throw badPayload('A chunked upload starts without a body.', type.set)
    const started = randomBytes(24).toString('base64url')
    const id = String(row[type.key])
    environment.files.uploads.set(started, { entitySet: type.set, id, column, name, chunks: [] })
    const address = `${responseFormat(environment, operation).root}/${type.set}(${id})/${column}?sessiontoken=${started}`
    return {
      status: 200,
      headers: [
        ['Location', address],
        ['x-ms-chunk-size', String(CHUNK_BYTES)],
        ['Accept-Ranges', 'bytes'],
      ],
    }
  }
  if (!/^application\/octet-stream\b/i.test(headers.get('content-type') ?? '')) {
    throw new DataverseError(415, '0x80060888', 'A file is sent as application/octet-stream.')
  }
  saveFile(environment, operation, type, row, column, { name, mimeType: mimeTypeOf(name), content: body })
  return { status: 204, headers: [] }
}

function chunk(environment: Environment, operation: Operation, type: EntityType, row: Row, token: string): Reply {
  const started = environment.files.uploads.get(token)
  if (started === undefined || started.id !== row[type.key]) throw noRow('FileUploadSession', token)
  const [, from, to, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(operation.headers.get('content-range') ?? '') ?? []
  const received = started.chunks.reduce((sum, { length }) => sum + length, 0)
  const expected = Number(to) - Number(from) + 1
  if (size === undefined || Number(from) !== received || expected !== operation.body.length) {
    throw badPayload(`Content-Range does not fit the body, or not the ${received} bytes received before.`, type.set)
  }
  started.chunks.push(operation.body)
  if (Number(to) + 1 < Number(size)) return { status: 206, headers: [] }
  environment.files.uploads.delete(token)
  const { name, column, chunks } = started
  const content = Buffer.concat(chunks)
  saveFile(environment, operation, type, row, column, { name, mimeType: mimeTypeOf(name), content })
  return { status: 204, headers: [] }
}

function download(environment: Environment, operation: Operation, type: EntityType, row: Row, column: string): Reply {
  const { name, mimeType, content } = fileIn(environment, type, row, column)
  const headers: Header[] = [
    ['Content-Type', 'application/octet-stream'],
    ['x-ms-file-name', headerText(name)],
    ['x-ms-file-size', String(content.length)],
    ['mimetype', mimeType],
    ['Content-Disposition', disposition(name)],
    ['Accept-Ranges', 'bytes'],
  ]
  const range = operation.headers.get('range')
  if (range === undefined) return { status: 200, headers, body: content }
  const { from, to } = bounds(range, content.length)
  return {
    status: 206,
    headers: [
      ...headers,
      ['x-ms-chunk-size', String(CHUNK_BYTES)],
      ['Content-Range', `bytes ${from}-${to}/${content.length}`],
    ],
    body: content.subarray(from, to + 1),
  }
}

/** The form in which DynamicsWebApi reads files: base64 in JSON, one range at a time. */
function asJson(environment: Environment, operation: Operation, type: EntityType, row: Row, column: string): Reply {
  const { name, content } = fileIn(environment, type, row, column)
  const format = responseFormat(environment, operation)
  const range = operation.headers.get('range')
  const { from, to } = range === undefined ? { from: 0, to: content.length - 1 } : bounds(range, content.length)
  const more = to + 1 < content.length
  const address = `${format.root}/${type.set}(${String(row[type.key])})/${column}`
  return jsonReply(
    range === undefined ? 200 : 206,
    {
      '@odata.context': `${format.root}/$metadata#${type.set}(${String(row[type.key])})/${column}`,
      value: content.subarray(from, to + 1).toString('base64'),
    },
    format,
    [
      ['Content-Disposition', disposition(name)],
      ['x-ms-file-name', headerText(name)],
      ['x-ms-file-size', String(content.length)],
      ...(more ? [['Location', `${address}?size=full`] as const] : []),
    ],
  )
}

function bounds(range: string, length: number): { readonly from: number; readonly to: number } {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? []
  const start = from === '' ? Math.max(0, length - Number(to)) : Number(from)
  const end = from === '' || to === '' ? length - 1 : Math.min(Number(to), length - 1)
  if ((from === '' && to === '') || start > end) {
    const fullLength = ['Content-Range', `bytes */${length}`] as const
    throw new DataverseError(416, '0x80060888', 'The range is not satisfiable.', [fullLength])
  }
  return { from: start, to: end }
}

function disposition(name: string): string {
  return `attachment; filename="${headerText(name)}"; filename*=UTF-8''${encodeURIComponent(name)}`
}

/** The name as a header value: characters outside ASCII are percent-encoded. */
function headerText(name: string): string {
  return name.replace(/[^\x20-\x7e]|["%]/g, (character) => encodeURIComponent(character))
}

function mimeTypeOf(name: string): string {
  return (
    { pdf: 'application/pdf', txt: 'text/plain', png: 'image/png' }[name.slice(name.lastIndexOf('.') + 1)] ??
    'application/octet-stream'
  )
}

function fileKey(type: EntityType, row: Row, column: string): string {
  return `${type.set}/${String(row[type.key])}/${column}`
}
