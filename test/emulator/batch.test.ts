import t from 'tap'

import { accountId, contactId } from '../../emulator/emulator.ts'
import { type CallResult, type Call, objectId, emulatorFor, userId } from '../support/started-emulator.ts'

const part = 'Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n'

function send(call: Call, body: string, headers: Record<string, string> = {}): Promise<CallResult> {
  return call('$batch', {
    method: 'POST',
    body,
    headers: { 'content-type': 'multipart/mixed; boundary="b"', ...headers },
  })
}

function batch(...parts: readonly string[]): string {
  return `${parts.map((each) => `--b\r\n${each}\r\n`).join('')}--b--\r\n`
}

function get(url: string, headers = ''): string {
  return `${part}\r\nGET ${url} HTTP/1.1\r\n${headers}\r\n`
}

function write(line: string, body: string, { id, headers = '' }: { id?: string; headers?: string } = {}): string {
  const head = `${part}${id === undefined ? '' : `Content-ID: ${id}\r\n`}\r\n`
  return `${head}${line} HTTP/1.1\r\nContent-Type: application/json\r\n${headers}\r\n${body}`
}

function changeSet(...parts: readonly string[]): string {
  const body = parts.map((each) => `--c\r\n${each}\r\n`).join('')
  return `Content-Type: multipart/mixed;boundary=c\r\n\r\n${body}--c--\r\n`
}

function statuses({ text }: CallResult): string[] {
  return text.match(/^HTTP\/1\.1 \d+/gm)?.map((line) => line.slice(9)) ?? []
}

t.test('runs parts in order, with every form of URL', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const path = '/api/data/v9.2/accounts?$select=name&$top=1'

  const answer = await send(
    call,
    batch(
      get(path),
      get(`https://contoso.crm4.dynamics.com${path}`),
      get('accounts?$top=1'),
      get(`https://contoso.api.crm4.dynamics.com${path}`),
      get(`${emulator.origin}${path}`),
      get(path, 'Host: contoso.crm4.dynamics.com\r\n'),
      write('POST tasks', '{"subject":"x"}'),
      `${part}\r\nPOST tasks HTTP/1.1\r\n\r\n{"subject":"without a type"}`,
      write('POST tasks', '{"subject":"x"}', { headers: 'Content-Length: 15\r\n' }),
    ),
  )

  t.equal(answer.status, 200)
  t.match(answer.headers.get('content-type'), /^multipart\/mixed; boundary=batchresponse_[0-9a-f-]{36}$/)
  t.match(answer.text, /^--batchresponse_[0-9a-f-]{36}\r\nContent-Type: application\/http\r\n/)
  t.match(answer.text, 'Content-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 200 OK\r\n')
  t.match(answer.text, /\r\n--batchresponse_[0-9a-f-]{36}--\r\n$/)
  t.same(statuses(answer), ['200', '200', '200', '200', '200', '200', '204', '204', '204'])
})

t.test('commits a change set, whose parts may name earlier ones', async (t) => {
  const { emulator, call } = await emulatorFor(t)

  const answer = await send(
    call,
    batch(
      changeSet(
        write('POST /api/data/v9.2/accounts', '{"name":"First"}', { id: '1' }),
        write('POST contacts', '{"lastname":"Second","parentcustomerid_account@odata.bind":"$1"}', { id: 'two' }),
        write('PATCH $1', '{"telephone1":"7"}', { headers: 'If-Match: *\r\n' }),
        write('PUT $1/primarycontactid/$ref', '{"@odata.id":"$two"}'),
        write('DELETE /api/data/v9.2/$1/telephone1', ''),
      ),
    ),
  )
  const account = emulator.rows('accounts').at(-1)

  t.same(statuses(answer), ['204', '204', '204', '204', '204'])
  t.match(answer.text, /\r\n--changesetresponse_[0-9a-f-]{36}\r\nContent-Type: application\/http\r\n/)
  t.match(answer.text, 'Content-ID: 1\r\n\r\nHTTP/1.1 204 No Content')
  t.match(account, {
    name: 'First',
    telephone1: null,
    _primarycontactid_value: emulator.rows('contacts').at(-1)?.['contactid'],
  })
})

t.test('rolls back a change set that fails', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')
  const before = emulator.rows('accounts')
  const role = String(emulator.rows('roles')[0]?.['roleid'])

  const answer = await send(
    call,
    batch(
      changeSet(
        write('POST accounts', '{"name":"Gone"}', { id: '1' }),
        write(`PATCH accounts(${accountId(0)})`, '{"name":"Gone"}'),
        write(`DELETE accounts(${accountId(1)})`, ''),
        write(`POST systemusers(${adele})/systemuserroles_association/$ref`, `{"@odata.id":"roles(${role})"}`),
        write('POST accounts', '{"nothing":1}'),
      ),
      get('accounts'),
    ),
  )

  t.equal(answer.status, 400)
  t.match(answer.headers.get('content-type'), /^multipart\/mixed/)
  t.same(statuses(answer), ['400'])
  t.notMatch(answer.text, 'changesetresponse')
  t.match(answer.text, /REQ_ID: /)
  t.equal(emulator.executions, 0)
  t.same(emulator.rows('accounts'), before)
  t.equal((await call(`systemusers(${adele})/systemuserroles_association/$count`)).text, '1')
})

t.test('continues after errors with Prefer: odata.continue-on-error', async (t) => {
  const { call } = await emulatorFor(t)
  const body = batch(get('nothing'), get(`accounts(${accountId(0)})`))

  const stopped = await send(call, body)
  const continued = await send(call, body, { prefer: 'odata.continue-on-error' })

  t.equal(stopped.status, 404)
  t.same(statuses(stopped), ['404'])
  t.equal(continued.status, 200)
  t.same(statuses(continued), ['404', '200'])
  t.equal(continued.headers.get('preference-applied'), 'odata.continue-on-error')
})

t.test('refuses hosts that are not its own', async (t) => {
  const { call } = await emulatorFor(t)
  const status = async (each: string): Promise<number> => (await send(call, batch(each))).status

  t.equal(await status(get('http://127.0.0.1:8080/api/data/v9.2/accounts')), 400)
  t.equal(await status(get('http://contoso.crm4.dynamics.com/api/data/v9.2/accounts')), 400)
  t.equal(await status(get('accounts', 'Host: localhost:8080\r\n')), 400)
})

t.test('refuses what is not a batch', async (t) => {
  const { call } = await emulatorFor(t)
  const status = async (body: string, type = 'multipart/mixed;boundary=b'): Promise<number> =>
    (await send(call, body, { 'content-type': type })).status

  t.equal((await call('$batch')).status, 405)
  t.equal((await call('$batch', { method: 'POST', body: Buffer.from(batch(get('accounts'))) })).status, 415)
  t.equal(await status(batch(get('accounts')), 'multipart/mixed'), 415)
  t.equal(await status(batch(get('accounts')), 'application/json'), 415)
  t.equal(await status('nothing'), 400)
  t.equal(await status(''), 400)
  t.equal(await status(batch(get('accounts').replace('GET', 'get'))), 400)
  t.equal(await status(batch(get('accounts').replace('application/http', 'text/plain'))), 400)
  t.equal(await status(batch(`Content-Transfer-Encoding: binary\r\n\r\nGET accounts HTTP/1.1\r\n\r\n`)), 400)
  t.equal(await status(batch(get('accounts').replace('Content-Transfer-Encoding: binary\r\n', ''))), 400)
  t.equal(await status(batch(write('POST accounts', '{}', { headers: 'Content-Length: 3\r\n' }))), 400)
  t.equal(await status(batch(changeSet(get('accounts')))), 400)
  t.equal(await status(batch('Content-Type: multipart/mixed\r\n\r\nx')), 415)
  t.equal(await status(batch(changeSet(write('PATCH $9', '{}')))), 400)
  t.equal(await status(batch(get('$1'))), 400)
  t.equal(await status(batch(get('accounts', 'Broken\r\n'))), 400)
  t.equal(await status(batch(get(`accounts?$filter=name%20eq%20%27${'a'.repeat(60_000)}%27`))), 200)
  t.equal(await status(batch(get(`accounts?$filter=name%20eq%20%27${'a'.repeat(66_000)}%27`))), 400)
  t.equal(await status(batch(...Array.from({ length: 1001 }, () => get('accounts?$top=1')))), 400)
})

t.test('requires CRLF, unless it is set to be lenient', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const good = batch(get('accounts?$top=1'), write('POST tasks', '{\n"subject":"x"\n}'))
  const bad = [
    good.replaceAll('\r\n', '\n'),
    good.slice(0, -2),
    good.slice(0, good.indexOf('--b--')),
    good.replace('binary\r\n', 'binary\n'),
    good.replace('HTTP/1.1\r\n', 'HTTP/1.1\n'),
    good.replace('\r\n--b\r\n', '\n--b\r\n'),
    good.replace('--b\r\n', '--b\n'),
    batch(get('accounts').replace(/\r\n\r\n$/, '')),
  ]

  t.equal((await send(call, good)).status, 200)
  t.equal((await send(call, `\r\npreamble\r\n${good}`)).status, 200)
  for (const body of bad) t.equal((await send(call, body)).status, 400)
  emulator.switches.batchLines = 'lenient'
  for (const body of bad) t.equal((await send(call, body)).status, 200, JSON.stringify(body))
  t.equal((await send(call, `--b\r\n${part}\r\nGET accounts HTTP/1.1`)).status, 200)
  t.equal((await send(call, `--b\r\n${part}\r\nGET accounts HTTP/1.1\r\nAccept: application/json`)).status, 200)
})

t.test('runs parts as the user of the batch or the part', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const adele = userId(emulator, 'adele.vance@contoso.com')
  const who = async (headers: Record<string, string>, own = ''): Promise<string | undefined> =>
    /"UserId":"([^"]+)"/.exec((await send(call, batch(get('WhoAmI', own)), headers)).text)?.[1]
  const application = await who({})

  t.equal(await who({ callerobjectid: objectId(emulator, 'adele.vance@contoso.com') }), adele)
  t.equal(await who({}, `MSCRMCallerID: ${adele}\r\n`), adele)
  t.equal(await who({ mscrmcallerid: contactId(1) }, `mscrmcallerid:${adele}\r\n`), adele)
  emulator.switches.callersInBatchParts = false
  t.equal(await who({}, `MSCRMCallerID: ${adele}\r\n`), application)
})

t.test('applies faults to single parts', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  emulator.faults.dataverse.push({ kind: 'throttle', retryAfter: 7, inBatch: true, path: 'contacts' })

  const answer = await send(call, batch(get('accounts?$top=1'), get('contacts')), { prefer: 'odata.continue-on-error' })

  t.same(statuses(answer), ['200', '429'])
  t.match(answer.text, 'HTTP/1.1 429 Too Many Requests\r\n')
  t.match(answer.text, 'Retry-After: 7\r\n')
})
