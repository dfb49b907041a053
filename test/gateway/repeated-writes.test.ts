import t from 'tap'

import { accountId, contactId } from '../../emulator/emulator.ts'
import { gatewayFor } from '../support/gateway-for.ts'

const row = `/accounts(${accountId(1)})`
const contact = `contacts(${contactId(2)})`

/** Writes, and whether each is idempotent. */
const WRITES: readonly (readonly [boolean, string, string, Record<string, string>, (string | undefined)?])[] = [
  [true, 'PATCH', row, { 'if-match': '*' }, '{"name":"A"}'],
  [true, 'PATCH', '/accounts(0a9c4e5d-6f21-4b67-9c1f-6a2f5d1f7b10)', { 'if-none-match': '*' }, '{"name":"A"}'],
  [true, 'PUT', `${row}/name`, {}, '{"value":"A"}'],
  [true, 'PUT', `${row}/primarycontactid/$ref`, {}, `{"@odata.id":"${contact}"}`],
  [true, 'DELETE', `${row}/primarycontactid/$ref`, {}],
  [true, 'DELETE', `${row}/contact_customer_accounts(${contactId(1)})/$ref`, {}],
  [true, 'DELETE', `/accounts(${accountId(3)})`, {}],
  [false, 'POST', '/accounts', {}, '{"name":"A"}'],
  [false, 'POST', `${row}/contact_customer_accounts/$ref`, {}, `{"@odata.id":"${contact}"}`],
  [false, 'PATCH', '/accounts(1b9c4e5d-6f21-4b67-9c1f-6a2f5d1f7b10)', {}, '{"name":"A"}'],
  [false, 'PATCH', '/accounts(2c9c4e5d-6f21-4b67-9c1f-6a2f5d1f7b10)', { 'if-none-match': 'null' }, '{"name":"A"}'],
]

t.test('idempotent writes are retried after a deadlock, others are not', async (t) => {
  for (const [isSame, method, path, headers, body] of WRITES) {
    const { url, emulator } = await gatewayFor(t)
    const name = `${method} ${path} ${JSON.stringify(headers)}`
    emulator.faults.dataverse.push({ kind: 'deadlock', method })

    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body ?? null,
    })

    t.equal(response.status, isSame ? 204 : 500, name)
    t.equal(emulator.received.filter((request) => request.method === method).length, isSame ? 2 : 1, name)
    t.equal(emulator.executions, isSame ? 1 : 0, name)
  }
})

t.test('a write that may have been executed is never retried', async (t) => {
  for (const [, method, path, headers, body] of WRITES) {
    const { url, emulator } = await gatewayFor(t)
    const name = `${method} ${path} ${JSON.stringify(headers)}`
    emulator.faults.dataverse.push({ kind: 'reset after commit', method })

    const response = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body ?? null,
    })

    t.equal(response.status, 502, name)
    t.match(await response.text(), /before you send it again/, name)
    t.equal(emulator.executions, 1, name)
  }
})
