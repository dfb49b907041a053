import t from 'tap'

import { environmentUrl } from '../../src/config/environment-url.ts'
import type { Environment } from '../../src/config/environment-url.ts'
import { SettingError } from '../../src/config/setting.ts'

const CONTOSO = {
  product: 'dataverse',
  origin: 'https://contoso.crm4.dynamics.com',
  apiRoot: '/api/data/v9.2',
  scope: 'https://contoso.crm4.dynamics.com/.default',
}

t.test('Finance & Operations may be below a path', async (t) => {
  t.match(environmentUrl('https://contoso.operations.dynamics.com/axsf/data/'), {
    product: 'finance-and-operations',
    apiRoot: '/axsf/data',
  })
})

t.test('the URL of an environment is accepted in every form that people copy', async (t) => {
  for (const written of [
    'https://contoso.crm4.dynamics.com',
    'https://contoso.crm4.dynamics.com/',
    'https://contoso.crm4.dynamics.com//',
    'contoso.crm4.dynamics.com',
    'contoso.crm4.dynamics.com/',
    '//contoso.crm4.dynamics.com',
    'https:/contoso.crm4.dynamics.com',
    'https//contoso.crm4.dynamics.com',
    'HTTPS://CONTOSO.CRM4.DYNAMICS.COM',
    'https://Contoso.crm4.dynamics.com.',
    'https://contoso.crm4.dynamics.com:443/',
    'https://contoso.crm4.dynamics.com/api/data/v9.2',
    'https://contoso.crm4.dynamics.com/api/data/v9.2/',
    'https://contoso.crm4.dynamics.com/API/Data',
    'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts?$top=3',
    'https://contoso.crm4.dynamics.com/main.aspx',
    'https://contoso.crm4.dynamics.com/main.aspx?appid=7b1c2d3e-0000-0000-0000-000000000000&pagetype=entitylist&etn=account',
    'https://contoso.crm4.dynamics.com/main.aspx#852345',
    'https://contoso.crm4.dynamics.com/apps/unitedinterface',
    'https://contoso.crm4.dynamics.com/XRMServices/2011/Organization.svc',
    'https://contoso.crm4.dynamics.com/?appid=7b1c',
  ]) {
    const { product, origin, apiRoot, scope } = environmentUrl(written)
    t.match({ product, origin, apiRoot: apiRoot.toLowerCase(), scope }, CONTOSO, written)
  }
})

t.test('an API root is used unchanged', async (t) => {
  const table: readonly (readonly [written: string, origin: string, apiRoot: string])[] = [
    ['https://contoso.crm4.dynamics.com/api/data/v9.1', 'https://contoso.crm4.dynamics.com', '/api/data/v9.1'],
    ['http://127.0.0.1:4004/odata/v4/x', 'http://127.0.0.1:4004', '/odata/v4/x'],
    ['http://127.0.0.1:4004/odata/v4/x/', 'http://127.0.0.1:4004', '/odata/v4/x'],
    ['http://localhost:4004/odata/v4/x?sap-language=de', 'http://localhost:4004', '/odata/v4/x'],
    ['https://127.0.0.1:8443/service', 'https://127.0.0.1:8443', '/service'],
    ['http://[::1]:5000', 'http://[::1]:5000', '/api/data/v9.2'],
    ['https://crm.contoso.local', 'https://crm.contoso.local', '/api/data/v9.2'],
    ['https://crm.contoso.local/sales/api/data/v9.1', 'https://crm.contoso.local', '/sales/api/data/v9.1'],
    ['https://crm.contoso.local/sales/main.aspx', 'https://crm.contoso.local', '/sales/api/data/v9.2'],
    ['https://crm.contoso.local/main.aspx#1', 'https://crm.contoso.local', '/api/data/v9.2'],
  ]
  for (const [written, origin, apiRoot] of table) {
    t.match(environmentUrl(written), { product: 'dataverse', origin, apiRoot, scope: `${origin}/.default` }, written)
  }
})

t.test('the configured host is the one that is called', async (t) => {
  t.equal(
    environmentUrl('https://contoso.api.crm.dynamics.com/api/data/v9.2').origin,
    'https://contoso.api.crm.dynamics.com',
  )
})

t.test('the host determines the cloud', async (t) => {
  const table = [
    ['crm.dynamics.com', 'https://login.microsoftonline.com'],
    ['crm9.dynamics.com', 'https://login.microsoftonline.com'],
    ['crm22.dynamics.com', 'https://login.microsoftonline.com'],
    ['crm.microsoftdynamics.us', 'https://login.microsoftonline.us'],
    ['crm.appsplatform.us', 'https://login.microsoftonline.us'],
    ['crm.dynamics.cn', 'https://login.partner.microsoftonline.cn'],
  ] as const
  for (const [suffix, authorityHost] of table) {
    t.match(
      environmentUrl(`https://contoso.${suffix}/main.aspx?pagetype=x`),
      {
        product: 'dataverse',
        apiRoot: '/api/data/v9.2',
        authorityHost,
        scope: `https://contoso.${suffix}/.default`,
      },
      suffix,
    )
  }
})

t.test('Finance & Operations is recognised by its host or path', async (t) => {
  for (const [written, origin] of [
    ['https://Contoso.Operations.Dynamics.com/', 'https://contoso.operations.dynamics.com'],
    ['https://contoso.operations.dynamics.com/data', 'https://contoso.operations.dynamics.com'],
    ['https://contoso.operations.dynamics.com/data/CustomersV3', 'https://contoso.operations.dynamics.com'],
    [
      'https://contoso.operations.dynamics.com/?cmp=usmf&mi=DefaultDashboard',
      'https://contoso.operations.dynamics.com',
    ],
    ['https://contoso-test.sandbox.operations.dynamics.com', 'https://contoso-test.sandbox.operations.dynamics.com'],
    ['https://contoso.operations.eu.dynamics.com', 'https://contoso.operations.eu.dynamics.com'],
    ['https://contosodev.axcloud.dynamics.com', 'https://contosodev.axcloud.dynamics.com'],
    ['https://usnconeboxax1aos.cloud.onebox.dynamics.com/data', 'https://usnconeboxax1aos.cloud.onebox.dynamics.com'],
    ['http://127.0.0.1:4004/data', 'http://127.0.0.1:4004'],
  ] as const) {
    t.match(
      environmentUrl(written),
      { product: 'finance-and-operations', origin, apiRoot: '/data', scope: `${origin}/.default` },
      written,
    )
  }
})

t.test('Business Central is recognised by its host or path, also in the URL of a page', async (t) => {
  const table = [
    ['https://api.businesscentral.dynamics.com/v2.0/Production', '/v2.0/Production/api/v2.0'],
    ['https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0', '/v2.0/Production/api/v2.0'],
    [
      'https://api.businesscentral.dynamics.com/v2.0/contoso.com/Sandbox/api/v2.0/',
      '/v2.0/contoso.com/Sandbox/api/v2.0',
    ],
    ['https://api.businesscentral.dynamics.com/v2.0/contoso.com/Sandbox/ODataV4', '/v2.0/contoso.com/Sandbox/ODataV4'],
    [
      'https://businesscentral.dynamics.com/11111111-2222-3333-4444-555555555555/Production?company=CRONUS',
      '/v2.0/11111111-2222-3333-4444-555555555555/Production/api/v2.0',
    ],
    ['https://businesscentral.dynamics.com/Production/', '/v2.0/Production/api/v2.0'],
  ] as const
  for (const [written, apiRoot] of table) {
    t.match(
      environmentUrl(written),
      {
        product: 'business-central',
        origin: 'https://api.businesscentral.dynamics.com',
        apiRoot,
        scope: 'https://api.businesscentral.dynamics.com/.default',
      },
      written,
    )
  }
  t.match(
    errorOf('https://businesscentral.dynamics.com/?company=CRONUS'),
    /does not name the environment: write .*\/v2\.0\/<environment>/,
  )
  t.equal(environmentUrl('http://127.0.0.1:4004/v2.0/Production/api/v2.0').product, 'business-central')
})

t.test('a URL that is not an environment is refused with an explanation and a fix', async (t) => {
  const table: readonly (readonly [written: string, what: RegExp])[] = [
    ['', /is empty/],
    ['11111111-2222-3333-4444-555555555555', /environment's id/],
    ['{11111111-2222-3333-4444-555555555555}', /environment's id/],
    ['Default-11111111-2222-3333-4444-555555555555', /environment's id/],
    ['https://11111111-2222-3333-4444-555555555555/', /environment's id/],
    ['https://make.powerapps.com/environments/Default-11111111-2222-3333-4444-555555555555/home', /the maker portal/],
    ['make.powerapps.com', /the maker portal/],
    ['https://make.gov.powerapps.us/', /the maker portal/],
    ['https://make.high.powerapps.us/', /the maker portal/],
    ['https://make.apps.appsplatform.us/', /the maker portal/],
    ['https://make.powerautomate.com/', /the maker portal/],
    ['https://apps.powerapps.com/play/1', /a Power Platform portal/],
    ['https://contoso.powerappsportals.com', /a Power Platform portal/],
    ['https://admin.powerplatform.microsoft.com/environments', /admin centre/],
    ['https://gcc.admin.powerplatform.microsoft.us/', /admin centre/],
    ['https://portal.azure.com/#home', /an administration portal/],
    ['https://entra.microsoft.com/', /an administration portal/],
    ['https://login.microsoftonline.com/contoso.com', /the authority/],
    ['https://login.partner.microsoftonline.cn/', /the authority/],
    ['https://globaldisco.crm.dynamics.com', /the discovery service/],
    ['https://home.dynamics.com/', /home page/],
    ['https://copilotstudio.microsoft.com/environments/1', /a page of Microsoft's/],
    ['https://contoso.sharepoint.com/', /a page of Microsoft's/],
    ['https://contoso.crm4.dynamics.com,https://fabrikam.crm4.dynamics.com', /is not a URL/],
    ['https://contoso.crm4.dynamics.com;', /is not a URL/],
    ['AuthType=OAuth;Url=https://contoso.crm4.dynamics.com', /is not a URL|no whole host/],
    ['contoso', /not a complete host name/],
    ['https://contoso', /not a complete host name/],
    ['http://contoso.crm4.dynamics.com', /http:\/\/.*write https:\/\//],
    ['http://192.168.1.5/api/data/v9.2', /http:\/\/.*write https:\/\//],
    ['http://127.0.0.1.evil.example', /http:\/\/.*write https:\/\//],
    ['http://localhost.evil.example', /http:\/\/.*write https:\/\//],
    ['http://0.0.0.0:80', /http:\/\/.*write https:\/\//],
    ['ftp://contoso.crm4.dynamics.com', /does not begin with https/],
    ['file:///etc/passwd', /does not begin with https/],
    ['https://', /is not a URL/],
    ['<https://contoso.crm4.dynamics.com>', /is not a URL/],
    ['https://contoso crm4.dynamics.com', /is not a URL/],
    ['https://user:hunter2@contoso.crm4.dynamics.com', /user name or password/],
  ]
  for (const [written, what] of table) {
    t.match(errorOf(written), what, written)
    t.match(errorOf(written), /write https?:\/\/|write the environment's URL/, `${written}: says what to write`)
    t.notMatch(errorOf(written), /hunter2|evil/, `${written}: repeats nothing of it`)
  }
})

function errorOf(written: string): string {
  try {
    const { origin }: Environment = environmentUrl(written)
    return `taken: ${origin}`
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    return error.message
  }
}
