import { isObject, type JsonObject, readJson } from '../http/json.ts'
import type { Operation } from '../http/operation.ts'
import { badPayload, DataverseError } from './errors.ts'

/** The JSON object that a request carries. */
export function bodyOf({ body, headers }: Operation, entity: string): JsonObject {
  const contentType = headers.get('content-type') ?? ''
  if (body.length > 0 && !/^application\/json\b/i.test(contentType)) {
    throw new DataverseError(415, '0x80060888', `The content type '${contentType}' is not supported.`)
  }
  try {
    const json = readJson(body.toString('utf8').replace(/^\uFEFF/, ''))
    if (isObject(json)) return json
  } catch (cause) {
    throw badPayload(`Microsoft.OData.ODataException: ${(cause as Error).message}`, entity)
  }
  throw badPayload('Microsoft.OData.ODataException: A JSON object was expected.', entity)
}
