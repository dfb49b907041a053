import t from 'tap'

import { accountId, contactId } from '../../emulator/emulator.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import { gatewayForRawDynamics } from '../support/raw-dynamics.ts'
import { get, rawRequest } from '../support/raw-http.ts'
import { rawSocket } from '../support/raw-socket.ts'

const context = async (response: Response): Promise<string> =>
  (
    (await response.json()) as {
      '@odata.context': string
    }
  )['@odata.context']

t.test('writes links in the address form that the caller used', async (t) => {
  const { url } = await gatewayFor(t)

  t.equal(await context(await fetch(`${url}/accounts?$top=1&$select=name`)), `${url}/$metadata#accounts(name)`)
  t.equal(
    await context(await fetch(`${url}/api/data/v9.2/accounts?$top=1&$select=name`)),
    `${url}/api/data/v9.2/$metadata#accounts(name)`,
  )
})

t.test('writes links with the host that was called, or PUBLIC_URL', async (t) => {
  const { url } = await gatewayFor(t)
  const { port } = new URL(url)
  const { url: proxied } = await gatewayFor(t, { PUBLIC_URL: 'https://dynamics.example.com/crm/' })

  t.equal(
    await context(await fetch(`http://localhost:${port}/WhoAmI`)),
    `http://localhost:${port}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse`,
  )
  t.equal(
    await context(await fetch(`${proxied}/WhoAmI`)),
    'https://dynamics.example.com/crm/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse',
  )
})

t.test('accepts X-Forwarded-… only from trusted proxies', async (t) => {
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'dynamics.example.com' }
  const { url: withoutTrust } = await gatewayFor(t)
  const { url: withTrust } = await gatewayFor(t, { TRUSTED_PROXIES: '127.0.0.0/8' })

  t.equal(
    await context(await fetch(`${withoutTrust}/WhoAmI`, { headers })),
    `${withoutTrust}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse`,
  )
  t.equal(
    await context(await fetch(`${withTrust}/WhoAmI`, { headers })),
    'https://dynamics.example.com/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse',
  )
})

t.test('rewrites the links of a created row', async (t) => {
  const { url } = await gatewayFor(t)

  const { headers } = await fetch(`${url}/accounts`, {
    method: 'POST',
    body: '{"name":"x"}',
    headers: { 'content-type': 'application/json' },
  })

  for (const name of ['location', 'odata-entityid']) {
    t.match(headers.get(name), new RegExp(`^${url}/accounts\\([0-9a-f-]{36}\\)$`))
  }
})

for (const coding of ['gzip', 'br', 'deflate']) {
  t.test(`decodes ${coding} if links must change, and responds in a coding that the caller accepts`, async (t) => {
    const { url, emulator } = await gatewayFor(t)

    const { text } = await rawSocket(
      url,
      `GET /accounts?$select=name HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: ${coding}\r\n` +
        'Connection: close\r\n\r\n',
    )

    const { rawHeaders } = emulator.received.at(-1)!
    t.equal(rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'accept-encoding') + 1], coding)
    t.match(text, /"@odata.context":"http:\/\/localhost\/\$metadata#accounts\(name\)"/)
    t.notMatch(text, /content-encoding/i)
  })
}

t.test('requests only codings that the caller accepts', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  await rawSocket(
    url,
    'GET /accounts?$top=1 HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: zstd, gzip;q=0\r\nConnection: close\r\n\r\n',
  )

  const { rawHeaders } = emulator.received.at(-1)!
  t.equal(rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === 'accept-encoding') + 1], 'identity')
})

t.test("rewrites the gateway's own URLs in bodies and $id to those of the environment", async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const related = `${url}/contacts(${emulator.rows('contacts')[3]!['contactid'] as string})`
  const reference = `${url}/accounts(${accountId(1)})/contact_customer_accounts/$ref`

  const associated = await fetch(reference, {
    method: 'POST',
    body: JSON.stringify({ '@odata.id': related }),
    headers: { 'content-type': 'application/json' },
  })
  const dissociated = await fetch(`${reference}?$id=${encodeURIComponent(related)}`, { method: 'DELETE' })
  const foreign = await fetch(reference, {
    method: 'POST',
    body: JSON.stringify({ '@odata.id': related.replace(url, 'https://evil.example') }),
    headers: { 'content-type': 'application/json' },
  })

  t.equal(associated.status, 204)
  t.equal(dissociated.status, 204)
  t.equal(foreign.status, 400, 'Dynamics refuses it')
})

t.test("rewrites the gateway's own URLs in parameter aliases, also in parts of a $batch", async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const alias = (base: string): string => `?@t={'@odata.id':'${base}/accounts(${accountId(1)})'}`
  const path = '/RetrievePrincipalAccess(Target=@t)'
  const body = [
    '--b',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `GET ${url}${path}${alias(url)} HTTP/1.1`,
    '',
    '',
    '--b--',
    '',
  ].join('\r\n')
  const root = `${emulator.environment}/api/data/v9.2`

  await fetch(`${url}/api/data/v9.2${path}${alias(url)}`)
  await fetch(`${url}${path}?@t=${encodeURIComponent(alias(url).slice(4))}`)
  const [written, encoded] = emulator.received.slice(-2)
  await fetch(`${url}/$batch`, { method: 'POST', body, headers: { 'content-type': 'multipart/mixed; boundary=b' } })

  t.equal(decodeURIComponent(written?.url ?? ''), `/api/data/v9.2${path}${alias(root)}`)
  t.equal(decodeURIComponent(encoded?.url ?? ''), `/api/data/v9.2${path}${alias(root)}`)
  t.match(String(emulator.received.at(-1)?.body), `${root}${path}${alias(root)}`)
})

t.test('rewrites the targets of advertised actions, in a page and in a $batch', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const of = (root: string): string =>
    `{"@odata.context":"${root}/$metadata#salesInvoices","value":[{"id":1,"#Microsoft.NAV.post":{"title":"post",` +
    `"target":"${root}/salesInvoices(1)/Microsoft.NAV.post"}}]}`
  const root = `${emulator.environment}/api/data/v9.2`
  const part = (root: string): string =>
    [
      '--b',
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      'HTTP/1.1 200 OK',
      `Content-Location: ${root}/salesInvoices`,
      'Content-Type: application/json',
      '',
      of(root),
      '--b--',
      '',
    ].join('\r\n')
  const json = (root: string): string =>
    `{"responses":[{"id":"1","status":200,"headers":{"content-location":` +
    `"${root}/salesInvoices"},"body":${of(root)}}]}`
  const ask = async (body: (root: string) => string, type: string, path: string): Promise<string> => {
    emulator.faults.dataverse.push({ kind: 'answer', status: 200, headers: { 'content-type': type }, body: body(root) })
    const method = path === '/$batch' ? 'POST' : 'GET'
    const headers = { 'content-type': 'application/json' }
    return (await fetch(url + path, method === 'GET' ? {} : { method, headers, body: '{"requests":[]}' })).text()
  }

  t.equal(await ask(of, 'application/json', '/salesInvoices'), of(url))
  t.equal(await ask(part, 'multipart/mixed; boundary=b', '/$batch'), part(url))
  t.equal(await ask(json, 'application/json', '/$batch'), json(url))
})

t.test('refuses a $batch with a caller id in a part, and sends nothing on', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  const body = [
    '--b',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    'GET /accounts HTTP/1.1',
    `CallerObjectId: ${accountId(1)}`,
    '',
    '',
    '--b--',
    '',
  ].join('\r\n')

  const response = await fetch(`${url}/$batch`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'multipart/mixed; boundary=b' },
  })

  t.equal(response.status, 400)
  t.match(await response.json(), { error: { code: 'GATEWAY_BAD_BATCH' } })
  t.equal(emulator.received.length, 0)
})

t.test('does not change files, whatever their content', async (t) => {
  const { url } = await gatewayFor(t)
  const content = '{"@odata.context":"https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts"}'
  const file = `${url}/accounts(${accountId(1)})/sample_file`

  await fetch(file, {
    method: 'PATCH',
    body: content,
    headers: { 'content-type': 'application/octet-stream', 'x-ms-file-name': 'links.json' },
  })

  t.equal(await (await fetch(`${file}/$value`)).text(), content)
})

t.test('rewrites links even if the query looks like the path of a file or a batch', async (t) => {
  const link = Buffer.from('{"@odata.nextLink":"https://contoso.crm4.dynamics.com/api/data/v9.2/accounts?a"}')
  const { port } = await gatewayForRawDynamics(
    t,
    (settings) => settings,
    () => link,
  )

  for (const query of ['x=/$value', '$filter=name%20eq%20%27/$value', 'x=/$batch', 'x=/$batch/?']) {
    t.match((await rawRequest({ port }, get(`/accounts?${query}`))).body, /"http:\/\/localhost\/accounts\?a"/, query)
  }
})

t.test(
  'recognises its own URLs by every host that callers use, with and without PUBLIC_URL and TLS in front',
  async (t) => {
    const { url } = await gatewayFor(t, { PUBLIC_URL: 'https://dynamics.example.com/crm' })
    const { port } = new URL(url)
    const bases = [
      'https://dynamics.example.com/crm',
      `http://localhost:${port}`,
      `http://127.0.0.1:${port}`,
      `https://[::1]:${port}`,
    ]

    for (const base of bases) {
      const answer = await fetch(`${url}/accounts(${accountId(1)})/primarycontactid/$ref`, {
        method: 'PUT',
        body: JSON.stringify({ '@odata.id': `${base}/contacts(${contactId(1)})` }),
        headers: { 'content-type': 'application/json' },
      })
      t.equal(answer.status, 204, base)
    }
  },
)

t.test('rewrites the location of a background operation, which is outside the API root', async (t) => {
  const { url } = await gatewayFor(t)

  const begun = await fetch(`${url}/sample_ExportAccounts`, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json', prefer: 'respond-async' },
  })
  const location = begun.headers.get('location') ?? ''
  const followed = await fetch(location)

  t.equal(begun.status, 202)
  t.ok(location.startsWith(`${url}/api/backgroundoperation/`), location)
  t.ok(followed.status < 300, String(followed.status))
})

t.test('serves images by the relative URLs of image columns', async (t) => {
  const { url, emulator } = await gatewayFor(t)

  await fetch(`${url}/Image/download.aspx?Entity=account&Attribute=entityimage&Id=${accountId(1)}`)

  t.equal(emulator.received.at(-1)?.url, `/Image/download.aspx?Entity=account&Attribute=entityimage&Id=${accountId(1)}`)
})

t.test('responds with 502 to a malformed $batch response, and stays available', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.dataverse.push({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': 'multipart/mixed' },
    body: '--x',
    path: 'batch',
  })
  const body = [
    '--b',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    'GET /accounts?$top=1 HTTP/1.1',
    '',
    '',
    '--b--',
    '',
  ].join('\r\n')
  const ask = async (): Promise<Response> =>
    fetch(`${url}/$batch`, { method: 'POST', body, headers: { 'content-type': 'multipart/mixed; boundary=b' } })

  const broken = await ask()
  const next = await ask()

  t.equal(broken.status, 502)
  t.match(await broken.json(), { error: { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' } })
  t.equal(next.status, 200)
})
