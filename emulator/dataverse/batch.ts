import { randomUUID } from 'node:crypto'

import type { Part } from '../http/multipart.ts'
import { headerOf, type Identity, type Operation, type Reply } from '../http/operation.ts'
import { partsOf, requestIn } from './batch-requests.ts'
import type { Environment } from './environment.ts'
import { badPayload, noMethod } from './errors.ts'
import { preferencesOf } from './prefer.ts'
import { errorReply, execute } from './resources.ts'
import { responsePart } from './response-part.ts'

/** Most operations in one batch. */
const MAX_OPERATIONS = 1000

/** What a `$batch` needs besides the environment. */
export interface BatchContext {
  /** The user that a part runs as, by the headers of the part. */
  identify(headers: ReadonlyMap<string, string>): Identity
  /** A scripted fault for one part; `undefined` runs it. */
  fault(method: string, path: string): Reply | undefined
}

/**
 * Executes `POST $batch`. The status is 200, or that of the first failure when processing stopped there. The
 * body is multipart in both cases.
 */
export function executeBatch(environment: Environment, operation: Operation, context: BatchContext): Reply {
  if (operation.method !== 'POST') throw noMethod(operation.method)
  const { continueOnError, applied } = preferencesOf(operation)
  const parts = partsOf(environment, operation.headers.get('content-type') ?? '', operation.body)
  if (count(environment, parts) > MAX_OPERATIONS) {
    throw badPayload(`A batch holds more than ${MAX_OPERATIONS} operations.`)
  }

  const boundary = `batchresponse_${randomUUID()}`
  let text = ''
  let status = 200
  for (const part of parts) {
    const { lines, failed } = isChangeSet(part)
      ? changeSet(environment, operation, part, context)
      : singlePart(environment, operation, part, context)
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

function singlePart(environment: Environment, outer: Operation, part: Part, context: BatchContext): Outcome {
  const reply = run(environment, outer, part, context, undefined)
  return { lines: responsePart(reply, undefined), failed: reply.status >= 400 ? reply.status : undefined }
}

function changeSet(environment: Environment, outer: Operation, part: Part, context: BatchContext): Outcome {
  const parts = partsOf(environment, part.contentType, part.body)
  const references = new Map<string, string>()
  const boundary = `changesetresponse_${randomUUID()}`
  return environment.store.transaction(
    () => {
      let lines = `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n`
      for (const each of parts) {
        const reply = run(environment, outer, each, context, references)
        // The failed part replaces the response of the entire change set.
        if (reply.status >= 400) return { lines: responsePart(reply, undefined), failed: reply.status }
        const id = each.headers.get('content-id')
        const created = /\/([^/]+\([^)]*\))$/.exec(headerOf(reply, 'odata-entityid') ?? '')?.[1]
        if (id !== undefined && created !== undefined) references.set(id, created)
        lines += `--${boundary}\r\n${responsePart(reply, id)}\r\n`
      }
      return { lines: `${lines}--${boundary}--\r\n`, failed: undefined }
    },
    ({ failed }) => failed === undefined,
  )
}

function run(
  environment: Environment,
  outer: Operation,
  part: Part,
  context: BatchContext,
  references: Map<string, string> | undefined,
): Reply {
  try {
    const { method, target, headers, body } = requestIn(environment, outer, part)
    if (references !== undefined && method === 'GET') throw badPayload('A GET is not allowed in a change set.')
    const identity = environment.switches.callersInBatchParts ? context.identify(headers) : outer.identity
    const scripted = context.fault(method, target)
    if (scripted !== undefined) return scripted
    const operation = { method, target, headers, body, origin: outer.origin, identity }
    return execute(environment, references === undefined ? operation : { ...operation, references })
  } catch (cause) {
    return errorReply(cause)
  }
}

function isChangeSet(part: Part): boolean {
  return /^multipart\/mixed\b/i.test(part.contentType)
}

function count(environment: Environment, parts: readonly Part[]): number {
  return parts.reduce(
    (sum, part) => sum + (isChangeSet(part) ? partsOf(environment, part.contentType, part.body).length : 1),
    0,
  )
}
