import t from 'tap'

import { mistakenPath } from '../../src/odata/mistaken-path.ts'
import { targetAddress } from '../../src/odata/target-address.ts'

const dataverse = targetAddress('https://contoso.crm4.dynamics.com/api/data/v9.2')

t.test('for a path outside the Web API of Dataverse, the right form is suggested', async (t) => {
  for (const path of [
    '/api/data/accounts',
    '/api/data',
    '/api/data/',
    '/api',
    '/api/accounts',
    '/api/data/9.2/accounts',
    '/api/data/v9/accounts',
    '/api/v9.2/accounts',
    '/API/data/v9.2/accounts',
    '/Api/Data/v9.2/accounts',
    '/api/DATA/v9.2/accounts',
    '/api/data/V9.2/accounts',
    '/%61pi/data/v9.2/accounts',
    '/v9.2/accounts',
    '/9.2/accounts',
    '/api/data/$batch',
    '/api/discovery/v9.2/Instances',
    '/api/data/accounts(1)',
  ]) {
    t.match(
      mistakenPath(dataverse, path),
      /found at \/api\/data\/v9\.2\/.*write \/api\/data\/v9\.2\/accounts, or \/accounts/,
      path,
    )
  }
  for (const path of [
    '/XRMServices/2011/Organization.svc/web',
    '/xrmservices/2011/organization.svc',
    '/XRMServices/2011/OrganizationData.svc/AccountSet',
  ]) {
    t.match(
      mistakenPath(dataverse, path),
      /not forward the SOAP .* only its Web API: write \/api\/data\/v9\.2\/accounts/,
      path,
    )
  }
})

t.test('paths that may be in the Web API are accepted', async (t) => {
  for (const path of [
    '',
    '/',
    '/accounts',
    '/apis',
    '/api_things',
    '/api/data/v9.2/accounts',
    '/api/data/v9.1',
    '/WhoAmI',
    '/$batch',
    '/$metadata',
    '/api/backgroundoperation/7',
    '/Image/download.aspx',
    '/accounts(1)/api',
    '/v9things',
    "/contacts(a='/api/')",
  ]) {
    t.equal(mistakenPath(dataverse, path), undefined, path)
  }
  const service = targetAddress('https://services.example/v4')
  const business = targetAddress('https://api.businesscentral.dynamics.com/v2.0/production/api/v2.0')
  t.equal(mistakenPath(service, '/api/things'), undefined, 'another product may have this path')
  t.equal(mistakenPath(business, '/api/v2.0/companies'), undefined)
})

t.test('on premises the suggested form begins with the organisation', async (t) => {
  const local = targetAddress('https://crm.contoso.local/sales/api/data/v9.1')
  t.match(mistakenPath(local, '/api/data/accounts'), 'write /sales/api/data/v9.1/accounts, or /accounts')
})
