import t from 'tap'

import { accountId } from '../../emulator/emulator.ts'
import { type Json, emulatorFor } from '../support/started-emulator.ts'

const length = (json: Json): number => (json['value'] as unknown as unknown[]).length

t.test('links from page to page until the last', async (t) => {
  const { call } = await emulatorFor(t)
  const headers = { prefer: 'odata.maxpagesize=50' }
  const ids = new Set<unknown>()
  const sizes: number[] = []

  let next: unknown = "accounts?$select=name&$orderby=name&$top=3&x=%2F'()+"
  while (next !== undefined) {
    const { json } = await call(String(next), { headers })
    sizes.push(length(json))
    for (const row of json['value'] as unknown as Json[]) ids.add(row['accountid'])
    next = json['@odata.nextLink']
    if (next !== undefined)
      t.match(next, /\?\$select=name&\$orderby=name&\$top=3&x=%2F(%27|')\(\)\+&\$skiptoken=%3Ccookie%20/)
  }

  t.same(sizes, [50, 50, 10])
  t.equal(ids.size, 110)
})

t.test('accepts a page link only byte for byte', async (t) => {
  const { call } = await emulatorFor(t)
  const { json } = await call('accounts?$select=name', { headers: { prefer: 'odata.maxpagesize=50' } })
  const link = String(json['@odata.nextLink'])
  const status = async (changed: string): Promise<number> => {
    t.not(changed, link)
    return (await call(changed)).status
  }

  t.equal((await call(link)).status, 200)
  t.equal(await status(link.replace('%253c', '%253C')), 400, 'case of the encoding')
  t.equal(await status(link.replace('pagenumber=%22', 'pagenumber%3D%22')), 400, 'more encoded')
  t.equal(await status(link.replace('%20istracking', '+istracking')), 400, 'space as plus')
  t.equal(await status(decodeURIComponent(link)), 400, 'decoded once')
  t.equal(await status(link.replace(/skiptoken=.*/, 'skiptoken=%zz')), 400, 'not encoded at all')
  t.equal(await status(link.replace(/skiptoken=.*/, 'skiptoken=%25zz')), 400, 'encoded once')
  t.equal(await status(link.replace(/skiptoken=.*/, 'skiptoken=x')), 400, 'no cookie')
  t.equal(await status(`${link.replace('accounts', 'contacts').replace('name', 'fullname')}`), 400, 'of another set')
})

t.test('refuses a page link whose row is gone', async (t) => {
  const { call } = await emulatorFor(t)
  const { json } = await call('accounts?$select=name', { headers: { prefer: 'odata.maxpagesize=1' } })

  await call(`accounts(${accountId(0)})`, { method: 'DELETE' })

  t.equal((await call(String(json['@odata.nextLink']))).status, 400)
})

t.test('limits pages to the size of the service', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.switches.pageSize = 60

  t.equal(length((await call('accounts')).json), 60)
  t.equal(length((await call('accounts', { headers: { prefer: 'odata.maxpagesize=100' } })).json), 60)
  emulator.switches.pageSize = 5000
  emulator.fill('accounts', 4990)
  const big = await call('accounts?$select=name', { headers: { prefer: 'odata.maxpagesize=5000' } })
  t.equal(length(big.json), 5000)
  t.ok(big.json['@odata.nextLink'])
  t.equal(big.headers.get('content-length'), null, 'streamed')
})

t.test('tracks changes', async (t) => {
  const { call } = await emulatorFor(t)
  const headers = { prefer: 'odata.track-changes' }
  const all = await call('accounts?$select=name', { headers })
  const link = String(all.json['@odata.deltaLink'])

  await call(`accounts(${accountId(0)})`, { method: 'DELETE' })
  await call(`accounts(${accountId(1)})`, { method: 'PATCH', body: '{"name":"Changed"}' })
  const changes = await call(link)
  const after = await call(String(changes.json['@odata.deltaLink']))

  t.equal(all.headers.get('preference-applied'), 'odata.track-changes')
  t.match(link, /\?\$select=name&\$deltatoken=\d+%21\d\d%2f\d\d%2f\d{4}%20\d\d%3a\d\d%3a\d\d$/)
  t.match(changes.json['value'], [
    { name: 'Changed' },
    { '@odata.context': /#accounts\/\$deletedEntity$/, id: accountId(0), reason: 'deleted' },
  ])
  t.equal(length(after.json), 0)
  t.equal((await call(link.replaceAll('%2f', '%2F'))).status, 400)
  t.equal((await call('accounts?$filter=name eq null', { headers })).status, 400)
})
