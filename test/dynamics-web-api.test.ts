import { DynamicsWebApi } from 'dynamics-web-api'
import t from 'tap'
import type { Test } from 'tap'

import { accountId, contactId } from '../src/emulator/emulator.ts'
import type { Emulator } from '../src/emulator/emulator.ts'
import { gatewayFor } from './gateway-for.ts'

/** A client that takes the gateway for an environment, and has no token. */
async function clientFor(t: Test): Promise<{ client: DynamicsWebApi, emulator: Emulator, url: string }> {
  const { url, emulator } = await gatewayFor(t)
  return { client: new DynamicsWebApi({ serverUrl: url, dataApi: { version: '9.2' } }), emulator, url }
}

t.test('leads a client through every page', async (t) => {
  const { client, url } = await clientFor(t)

  const page = await client.retrieveMultiple({ collection: 'accounts', select: ['name'], maxPageSize: 40 })
  const second = await client.retrieveMultiple({ collection: 'accounts', maxPageSize: 40 }, page.oDataNextLink!)
  const all = await client.retrieveAll({ collection: 'accounts', select: ['name'] })

  t.ok(page.oDataNextLink?.startsWith(`${url}/api/data/v9.2/accounts?`))
  t.equal(second.value.length, 40)
  t.equal(all.value.length, 110)
})

t.test('creates, upserts, associates and disassociates', async (t) => {
  const { client, emulator } = await clientFor(t)
  const [account, contact] = [accountId(1), contactId(5)]
  const primary = (): unknown => emulator.rows('accounts').find((row) => row['accountid'] === account)?.['_primarycontactid_value']

  const id = await client.create({ collection: 'accounts', data: { name: 'A', 'primarycontactid@odata.bind': `contacts(${contact})` } })
  await client.upsert({ collection: 'accounts', key: 'accountnumber=\'Z%2F1\'', data: { name: 'Upserted' } })
  await client.associateSingleValued({
    collection: 'accounts', primaryKey: account, navigationProperty: 'primarycontactid',
    relatedCollection: 'contacts', relatedKey: contact,
  })
  const associated = primary()
  await client.associate({
    collection: 'accounts', primaryKey: account, relationshipName: 'contact_customer_accounts',
    relatedCollection: 'contacts', relatedKey: contact,
  })
  await client.disassociate({
    collection: 'accounts', primaryKey: account, relationshipName: 'contact_customer_accounts', relatedKey: contact,
  })

  t.match(id, /^[0-9a-f-]{36}$/)
  t.equal(associated, contact)
  t.ok(emulator.rows('accounts').some((row) => row['accountnumber'] === 'Z/1'))
})

t.test('runs batches with change sets and references, strict as the environment is about line ends', async (t) => {
  const { client, emulator } = await clientFor(t)

  client.startBatch()
  void client.create({ collection: 'contacts', data: { lastname: 'Batch' }, contentId: '1' })
  void client.create({ collection: 'accounts', data: { 'name': 'With contact', 'primarycontactid@odata.bind': '$1' } })
  void client.update({ collection: 'contacts', key: contactId(3), data: { jobtitle: 'Boss' } })
  void client.associateSingleValued({
    collection: 'accounts', primaryKey: accountId(4), navigationProperty: 'primarycontactid',
    relatedCollection: 'contacts', relatedKey: contactId(6),
  })
  void client.retrieveMultiple({ collection: 'accounts', select: ['name'], filter: 'name eq \'With contact\'' })
  const [contact, account, , , found] = await client.executeBatch() as [string, string, unknown, unknown, { value: unknown[] }]

  t.equal(found.value.length, 1)
  t.match(emulator.rows('accounts').find((row) => row['accountid'] === account), { _primarycontactid_value: contact })
  t.match(emulator.rows('accounts').find((row) => row['accountid'] === accountId(4)), { _primarycontactid_value: contactId(6) })
})

t.test('takes queries that are long enough to be sent as a batch', async (t) => {
  const { client, emulator } = await clientFor(t)
  const filter = Array.from({ length: 60 }, (_, number) => `accountid eq ${accountId(number)}`).join(' or ')

  const { value } = await client.retrieveMultiple({ collection: 'accounts', select: ['name'], filter })

  t.equal(value.length, 60)
  t.match(emulator.received.at(-1), { method: 'POST', url: '/api/data/v9.2/$batch' })
})

t.test('carries files in chunks both ways', async (t) => {
  const { client } = await clientFor(t)
  const data = Buffer.from(new Uint8Array(5 * 1024 * 1024).map((_, at) => at * 7 % 251))
  const place = { collection: 'accounts', key: accountId(2), property: 'sample_file' }

  await client.uploadFile({ ...place, fileName: 'Übersicht.pdf', data })
  const file = await client.downloadFile(place)

  t.equal(decodeURIComponent(file.fileName ?? ''), 'Übersicht.pdf')
  t.ok(Buffer.from(file.data as Uint8Array).equals(data))
})

t.test('a batch that fails is answered part by part', async (t) => {
  const { client } = await clientFor(t)

  client.startBatch()
  void client.retrieve({ collection: 'accounts', key: accountId(1), select: ['name'] })
  void client.retrieve({ collection: 'accounts', key: '00000000-0000-0000-0000-00000000dead', select: ['name'] })

  await t.rejects(client.executeBatch())
})
