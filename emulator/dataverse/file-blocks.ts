import { randomBytes } from 'node:crypto'

import { isObject, type Json, type JsonObject } from '../http/json.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { bodyOf } from './body.ts'
import type { Environment } from './environment.ts'
import { badPayload } from './errors.ts'
import { CHUNK_BYTES, fileIn, saveFile } from './files.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { existing } from './keys.ts'
import type { Row } from './rows.ts'
import { type EntityType, typeNamed } from './schema.ts'

/** The state behind a continuation token: a column of a row, and the blocks uploaded so far. */
interface Transfer {
  readonly type: EntityType
  readonly row: Row
  readonly column: string
  readonly blocks: Map<string, Buffer>
}

const transfers = new WeakMap<Environment, Map<string, Transfer>>()

/** The actions that transfer files in base64 blocks, by name. */
export const blockActions: ReadonlyMap<string, (environment: Environment, operation: Operation) => Reply> = new Map([
  ['InitializeFileBlocksUpload', startUpload],
  ['UploadBlock', uploadBlock],
  ['CommitFileBlocksUpload', commit],
  ['InitializeFileBlocksDownload', startDownload],
  ['DownloadBlock', downloadBlock],
  ['DeleteFile', deleteFile],
])

function startUpload(environment: Environment, operation: Operation): Reply {
  const body = bodyOf(operation, '')
  textOf(body, 'FileName')
  return actionReply(environment, operation, 'InitializeFileBlocksUploadResponse', {
    FileContinuationToken: begin(environment, body),
  })
}

function uploadBlock(environment: Environment, operation: Operation): Reply {
  const body = bodyOf(operation, '')
  const data = Buffer.from(textOf(body, 'BlockData'), 'base64')
  if (data.length > CHUNK_BYTES) throw badPayload('A block is larger than 4 MB.')
  transferOf(environment, body).blocks.set(textOf(body, 'BlockId'), data)
  return { status: 204, headers: [] }
}

function commit(environment: Environment, operation: Operation): Reply {
  const body = bodyOf(operation, '')
  const { type, row, column, blocks } = transferOf(environment, body)
  const list = body['BlockList']
  const chunks = (Array.isArray(list) ? (list as readonly Json[]) : []).map((id) => blocks.get(String(id)))
  if (chunks.length === 0 || chunks.includes(undefined)) {
    throw badPayload('BlockList names a block that was not uploaded.')
  }
  const content = Buffer.concat(chunks as Buffer[])
  const mimeType = typeof body['MimeType'] === 'string' ? body['MimeType'] : 'application/octet-stream'
  const id = saveFile(environment, operation, type, row, column, { name: textOf(body, 'FileName'), mimeType, content })
  return actionReply(environment, operation, 'CommitFileBlocksUploadResponse', {
    FileId: id,
    FileSizeInBytes: content.length,
  })
}

function startDownload(environment: Environment, operation: Operation): Reply {
  const body = bodyOf(operation, '')
  const token = begin(environment, body)
  const { type, row, column } = transferOf(environment, { FileContinuationToken: token })
  const { name, content } = fileIn(environment, type, row, column)
  return actionReply(environment, operation, 'InitializeFileBlocksDownloadResponse', {
    FileContinuationToken: token,
    FileSizeInBytes: content.length,
    FileName: name,
    IsChunkingSupported: true,
  })
}

function downloadBlock(environment: Environment, operation: Operation): Reply {
  const body = bodyOf(operation, '')
  const { type, row, column } = transferOf(environment, body)
  const from = Number(body['Offset'] ?? 0)
  const { content } = fileIn(environment, type, row, column)
  const data = content.subarray(from, from + Number(body['BlockLength'] ?? CHUNK_BYTES))
  return actionReply(environment, operation, 'DownloadBlockResponse', { Data: data.toString('base64') })
}

function deleteFile(environment: Environment, operation: Operation): Reply {
  const id = textOf(bodyOf(operation, ''), 'FileId')
  for (const row of environment.store.table('accounts').rows.values()) {
    if (row['sample_file'] !== id) continue
    environment.files.files.delete(`accounts/${String(row['accountid'])}/sample_file`)
    environment.store.replace('accounts', row, { sample_file: null, sample_file_name: null })
    return { status: 204, headers: [] }
  }
  throw badPayload(`There is no file ${id}.`)
}

function begin(environment: Environment, body: JsonObject): string {
  const target = body['Target']
  if (!isObject(target)) throw badPayload('Target is missing.')
  const type = typeNamed(String(target['@odata.type']).replace('Microsoft.Dynamics.CRM.', ''))
  if (type === undefined) throw badPayload('Target names no entity type.')
  const row = existing(environment, type, { id: String(target[type.key]).toLowerCase() })
  const column = textOf(body, 'FileAttributeName')
  if (type.columns[column]?.type !== 'file') throw badPayload(`'${column}' is not a file column.`)
  const token = randomBytes(24).toString('base64url')
  const known = transfers.get(environment) ?? new Map<string, Transfer>()
  transfers.set(environment, known.set(token, { type, row, column, blocks: new Map() }))
  return token
}

function transferOf(environment: Environment, body: JsonObject): Transfer {
  const found = transfers.get(environment)?.get(textOf(body, 'FileContinuationToken'))
  if (found === undefined) throw badPayload('FileContinuationToken is not known.')
  return found
}

function textOf(body: JsonObject, name: string): string {
  const value = body[name]
  if (typeof value === 'string') return value
  throw badPayload(`The parameter '${name}' is missing.`)
}

function actionReply(environment: Environment, operation: Operation, type: string, json: JsonObject): Reply {
  const format = responseFormat(environment, operation)
  const context = `${format.root}/$metadata#Microsoft.Dynamics.CRM.${type}`
  return jsonReply(200, { '@odata.context': context, ...json }, format)
}
