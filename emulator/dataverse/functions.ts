import type { Json, JsonObject } from '../http/json.ts'
import type { Operation, Reply } from '../http/operation.ts'
import { businessUnitId, organizationId, tenantId } from '../registration.ts'
import type { Keys, Segment } from './address.ts'
import { exportAccounts } from './background.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noMethod } from './errors.ts'
import { blockActions } from './file-blocks.ts'
import { guidOf } from './guid.ts'
import { jsonReply, responseFormat } from './json-reply.ts'
import { metadataChanges, publishActions } from './metadata-changes.ts'
import type { Row } from './rows.ts'

/** Executes an unbound function or action, such as `WhoAmI`; `undefined` when the name is unknown. */
export function unbound(environment: Environment, operation: Operation, { name, keys }: Segment): Reply | undefined {
  const action =
    name === 'sample_ExportAccounts' ? exportAccounts : (blockActions.get(name) ?? publishActions.get(name))
  if (action !== undefined) {
    if (operation.method !== 'POST') throw noMethod(operation.method)
    return action(environment, operation)
  }
  const result = resultOf(environment, operation, name, keys)
  if (result === undefined) return undefined
  // Dataverse answers a POST to a function with 404, not 405.
  if (operation.method !== 'GET') throw notFound(operation)
  return functionReply(environment, operation, `${name}Response`, result)
}

/** Executes a function bound to a user, such as `RetrieveUserPrivilegeByPrivilegeName`. */
export function boundToUser(
  environment: Environment,
  operation: Operation,
  user: Row,
  { name, keys }: Segment,
): Reply | undefined {
  const bare = name.replace('Microsoft.Dynamics.CRM.', '')
  if (bare === 'RetrieveUserPrivilegeByPrivilegeName') {
    const asked = keys !== undefined && 'named' in keys ? keys.named.get('PrivilegeName') : undefined
    const held = privilegesOf(environment, user).filter(({ PrivilegeName }) => PrivilegeName === asked)
    if (typeof asked !== 'string' || !/^prv[A-Z]\w+$/.test(asked)) {
      throw new DataverseError(400, '0x80040203', `The privilege name '${String(asked)}' is not valid.`)
    }
    return functionReply(environment, operation, `${bare}Response`, { RolePrivileges: held })
  }
  if (bare !== 'RetrieveUserPrivileges') return undefined
  return functionReply(environment, operation, `${bare}Response`, { RolePrivileges: privilegesOf(environment, user) })
}

/** 404 in the words of ASP.NET, with the requested URL. */
export function notFound({ origin, target }: Operation): DataverseError {
  return new DataverseError(404, '', `No HTTP resource was found that matches the request URI '${origin}${target}'.`)
}

function resultOf(
  environment: Environment,
  operation: Operation,
  name: string,
  keys: Keys | undefined,
): JsonObject | undefined {
  switch (name) {
    case 'WhoAmI':
      return {
        BusinessUnitId: businessUnitId,
        UserId: String(operation.identity.user['systemuserid']),
        OrganizationId: organizationId,
      }
    case 'RetrieveMetadataChanges':
      return metadataChanges(environment, keys)
    case 'RetrieveVersion':
      return { Version: '9.2.25112.00190' }
    case 'RetrieveCurrentOrganization': {
      if (keys === undefined || !('named' in keys) || !keys.named.has('AccessType')) throw notFound(operation)
      return { Detail: organizationDetail(environment.origins[0]) }
    }
    default:
      return undefined
  }
}

function organizationDetail(environment: string): JsonObject {
  const [name = ''] = new URL(environment).hostname.split('.')
  const endpoints = {
    WebApplication: `${environment}/`,
    OrganizationService: `${environment}/XRMServices/2011/Organization.svc`,
    OrganizationDataService: `${environment}/XRMServices/2011/OrganizationData.svc`,
  }
  return {
    OrganizationId: organizationId,
    FriendlyName: 'Contoso (emulated)',
    OrganizationVersion: '9.2.25112.00190',
    EnvironmentId: guidOf('environment'),
    DatacenterId: guidOf('datacenter'),
    Geo: 'EMEA',
    TenantId: tenantId,
    UrlName: name,
    UniqueName: `unq${guidOf('unique').slice(0, 8)}`,
    State: 'Enabled',
    Endpoints: {
      Count: 3,
      IsReadOnly: false,
      Keys: Object.keys(endpoints),
      Values: Object.values(endpoints),
    },
  }
}

function privilegesOf({ switches }: Environment, user: Row): readonly { readonly [name: string]: Json }[] {
  const application = typeof user['applicationid'] === 'string'
  const names = ['prvReadAccount', 'prvWriteAccount', 'prvCreateAccount', 'prvDeleteAccount', 'prvReadContact']
  if (switches.mayReadUsers) names.push('prvReadUser')
  if (application && switches.mayImpersonate) names.push('prvActOnBehalfOfAnotherUser')
  return names.map((name) => ({
    Depth: 'Global',
    PrivilegeId: guidOf(name),
    BusinessUnitId: businessUnitId,
    PrivilegeName: name,
  }))
}

function functionReply(environment: Environment, operation: Operation, type: string, json: JsonObject): Reply {
  const format = responseFormat(environment, operation)
  const context = `${format.root}/$metadata#Microsoft.Dynamics.CRM.${type}`
  return jsonReply(200, { '@odata.context': context, ...json }, format)
}
