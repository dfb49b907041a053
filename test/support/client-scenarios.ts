import type { DynamicsWebApi } from 'dynamics-web-api'
import type { Test } from 'tap'

import { accountId, contactId, type Emulator } from '../../emulator/emulator.ts'

/** A client and its service, both for one test. */
export interface Client {
  readonly client: DynamicsWebApi
  /** The environment URL of the client. */
  readonly url: string
  readonly emulator: Emulator
}

/** Typical calls of a widely used client. The results must be the same with and without the gateway. */
export function clientScenarios(t: Test, start: (t: Test) => Promise<Client>): void {
  t.test('pages through a set to its end', async (t) => {
    const { client, url } = await start(t)

    const first = await client.retrieveMultiple({
      collection: 'accounts',
      select: ['name'],
      maxPageSize: 40,
      count: true,
    })
    const all = await client.retrieveAll({ collection: 'accounts', select: ['name'] })

    t.equal(first.value.length, 40)
    t.equal(first.oDataCount, 110)
    t.ok(first.oDataNextLink?.startsWith(url))
    t.equal(all.value.length, 110)
  })

  t.test('creates, reads, updates, upserts and deletes', async (t) => {
    const { emulator, client } = await start(t)

    const id = (await client.create({ collection: 'accounts', data: { name: 'Grüße' } })) as unknown as string
    const made = await client.create({ collection: 'accounts', data: { name: 'B' }, returnRepresentation: true })
    await client.update({ collection: 'accounts', key: id, data: { telephone1: '1' } })
    await client.upsert({ collection: 'accounts', key: "accountnumber='Z-1'", data: { name: 'Upserted' } })
    const read = await client.retrieve({ collection: 'accounts', key: id, select: ['name', 'telephone1'] })
    await client.deleteRecord({ collection: 'accounts', key: id })

    t.match(read, { name: 'Grüße', telephone1: '1' })
    t.match(made, { name: 'B' })
    await t.rejects(client.retrieve({ collection: 'accounts', key: id }), { status: 404, code: '0x80040217' })
    t.same(
      emulator.executed.map(({ method }) => method),
      ['POST', 'POST', 'PATCH', 'PATCH', 'DELETE'],
    )
  })

  t.test('associates and disassociates', async (t) => {
    const { emulator, client } = await start(t)
    const [account, contact] = [accountId(1), contactId(5)]

    await client.associate({
      collection: 'accounts',
      primaryKey: account,
      relationshipName: 'contact_customer_accounts',
      relatedCollection: 'contacts',
      relatedKey: contact,
    })
    const parent = emulator.rows('contacts').find((row) => row['contactid'] === contact)?.['_parentcustomerid_value']
    await client.disassociate({
      collection: 'accounts',
      primaryKey: account,
      relationshipName: 'contact_customer_accounts',
      relatedKey: contact,
    })
    await client.associateSingleValued({
      collection: 'accounts',
      primaryKey: account,
      navigationProperty: 'primarycontactid',
      relatedCollection: 'contacts',
      relatedKey: contact,
    })

    t.equal(parent, account)
    t.equal(emulator.rows('contacts').find((row) => row['contactid'] === contact)?.['_parentcustomerid_value'], null)
    t.equal(emulator.rows('accounts').find((row) => row['accountid'] === account)?.['_primarycontactid_value'], contact)
  })

  t.test('runs batches with change sets and references', async (t) => {
    const { emulator, client } = await start(t)

    client.startBatch()
    void client.create({ collection: 'contacts', data: { lastname: 'Batch' }, contentId: '1' })
    void client.create({
      collection: 'accounts',
      data: { name: 'With contact', 'primarycontactid@odata.bind': '$1' },
    })
    void client.update({ collection: 'contacts', key: contactId(3), data: { jobtitle: 'Boss' } })
    void client.associateSingleValued({
      collection: 'accounts',
      primaryKey: accountId(4),
      navigationProperty: 'primarycontactid',
      relatedCollection: 'contacts',
      relatedKey: contactId(6),
    })
    void client.retrieveMultiple({ collection: 'accounts', select: ['name'], filter: "name eq 'With contact'" })
    const [contact, account, , , found] = (await client.executeBatch()) as [
      string,
      string,
      unknown,
      unknown,
      { value: unknown[] },
    ]

    t.equal(found.value.length, 1)
    t.match(
      emulator.rows('accounts').find((row) => row['accountid'] === account),
      { _primarycontactid_value: contact },
    )
  })

  t.test('sends long queries as a batch', async (t) => {
    const { emulator, client } = await start(t)
    const filter = Array.from({ length: 60 }, (_, number) => `accountid eq ${accountId(number)}`).join(' or ')

    const { value } = await client.retrieveMultiple({ collection: 'accounts', select: ['name'], filter })

    t.equal(value.length, 60)
    t.match(emulator.received[0], { method: 'POST', url: '/api/data/v9.2/$batch' })
  })

  t.test('uploads and downloads files in chunks', async (t) => {
    const { client } = await start(t)
    const data = new Uint8Array(5 * 1024 * 1024).map((_, at) => (at * 7) % 251)
    const place = { collection: 'accounts', key: accountId(2), property: 'sample_file' }

    await client.uploadFile({ ...place, fileName: 'Übersicht.pdf', data: Buffer.from(data) })
    const file = await client.downloadFile(place)

    t.equal(decodeURIComponent(file.fileName ?? ''), 'Übersicht.pdf')
    t.ok(Buffer.from(file.data as Uint8Array).equals(data))
  })

  t.test('reports which part of a batch failed', async (t) => {
    const { client } = await start(t)

    client.startBatch()
    void client.retrieve({ collection: 'accounts', key: accountId(1), select: ['name'] })
    void client.retrieve({ collection: 'accounts', key: '00000000-0000-0000-0000-00000000dead', select: ['name'] })

    await t.rejects(client.executeBatch())
  })
}
