import t from 'tap'

import { gatewayFor } from '../support/gateway-for.ts'

t.test(
  'a header with a link to another host, which a client would follow with its key, is removed, and the log names the host',
  async (t) => {
    const gateway = await gatewayFor(t)
    const { url, emulator } = gateway
    const elsewhere = 'https://evil.example/api/data/v9.2/accounts(1)'
    for (const headers of [
      { location: elsewhere },
      { 'content-location': elsewhere },
      { 'OData-EntityId': elsewhere },
      { 'Azure-AsyncOperation': elsewhere },
      { 'operation-location': elsewhere },
      { link: `<${elsewhere}>; rel=next` },
      { refresh: `0; url=${elsewhere}` },
      { 'x-accel-redirect': '/protected/x' },
    ] as Record<string, string>[]) {
      for (const status of [200, 302]) {
        emulator.faults.dataverse.push({ kind: 'answer', status, headers })
        const response = await fetch(`${url}/accounts`, { redirect: 'manual' })
        await response.text()
        t.equal(response.headers.get(Object.keys(headers)[0]!), null, `${status} ${JSON.stringify(headers)}`)
      }
    }

    const own = `${emulator.environment}/api/data/v9.2/accounts(1)`
    const file = 'https://store1.blob.core.windows.net/files/a.pdf?sig=x'
    for (const [link, expected] of [
      [own, `${url}/accounts(1)`],
      [file, file],
      ['/accounts(1)', '/accounts(1)'],
    ] as const) {
      emulator.faults.dataverse.push({ kind: 'answer', status: 201, headers: { location: link } })
      t.equal((await fetch(`${url}/accounts`)).headers.get('location'), expected)
    }
    t.match(
      gateway.lines.filter(({ level }) => level === 'warn'),
      [{ host: 'evil.example' }],
      'once a minute',
    )
  },
)
