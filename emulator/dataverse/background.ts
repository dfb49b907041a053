import type { Operation, Reply } from '../http/operation.ts'
import type { Environment } from './environment.ts'
import { noMethod, noRow } from './errors.ts'
import { newGuid } from './guid.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { preferencesOf } from './prefer.ts'

/** The only custom action: it counts accounts, in the background with `Prefer: respond-async`. */
export function exportAccounts(environment: Environment, operation: Operation): Reply {
  const format = responseFormat(environment, operation)
  const counted = { ExportedAccounts: environment.store.table('accounts').rows.size }
  const context = `${format.root}/$metadata#Microsoft.Dynamics.CRM.sample_ExportAccountsResponse`
  if (!preferencesOf(operation).respondAsync) return jsonReply(200, { '@odata.context': context, ...counted }, format)
  const id = newGuid()
  environment.background.add(id)
  // Unlike every other link of Dataverse, this one points outside the API root.
  const location = `${operation.origin}/api/backgroundoperation/${id}`
  return jsonReply(202, { backgroundOperationId: id, location }, format, [
    ['Location', location],
    ['x-ms-dyn-backgroundoperationid', id],
  ])
}

/** The path of the status resource of a background operation. */
export const statusPath = /^\/api\/backgroundoperation\/([0-9a-f-]{36})$/

/** Serves the status resource. Every background operation has succeeded by the time it is asked for. */
export function backgroundStatus(environment: Environment, operation: Operation, id: string): Reply {
  if (operation.method !== 'GET') throw noMethod(operation.method)
  if (!environment.background.has(id)) throw noRow('backgroundoperation', id)
  return jsonReply(
    200,
    {
      backgroundOperationId: id,
      backgroundOperationStateCode: 3,
      backgroundOperationStatusCode: 30,
    },
    responseFormat(environment, operation),
  )
}
