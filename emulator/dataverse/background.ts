import type { Operation, Reply } from '../http/operation.ts'
import type { Environment } from './environment.ts'
import { noMethod, noRow } from './errors.ts'
import { newGuid } from './guid.ts'
import { jsonReply, writingOf } from './json-reply.ts'
import { preferencesOf } from './prefer.ts'

/** The one custom action there is: it counts accounts, with `Prefer: respond-async` in the background. */
export function exportAccounts(environment: Environment, operation: Operation): Reply {
  const writing = writingOf(environment, operation)
  const counted = { ExportedAccounts: environment.store.table('accounts').rows.size }
  const context = `${writing.root}/$metadata#Microsoft.Dynamics.CRM.sample_ExportAccountsResponse`
  if (!preferencesOf(operation).respondAsync) return jsonReply(200, { '@odata.context': context, ...counted }, writing)
  const id = newGuid()
  environment.background.add(id)
  // Unlike every other link of Dataverse, this one leads outside of the API root.
  const location = `${operation.origin}/api/backgroundoperation/${id}`
  return jsonReply(202, { backgroundOperationId: id, location }, writing, [
    ['Location', location],
    ['x-ms-dyn-backgroundoperationid', id],
  ])
}

/** The path of the resource that tells how a background operation fares. */
export const statusPath = /^\/api\/backgroundoperation\/([0-9a-f-]{36})$/

/** Answers that resource: every background operation has succeeded by the time anybody asks. */
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
    writingOf(environment, operation),
  )
}
