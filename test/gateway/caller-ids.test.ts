import t from 'tap'
import type { Test } from 'tap'

import type { Emulator } from '../../emulator/emulator.ts'
import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'
import type { RawAnswer } from '../support/raw-http.ts'

// How a caller with `callerIds: allow` may name the user that it acts as.

t.test('a trusted caller may name its user by one caller id', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  const { adele, adeleInEntra } = idsIn(emulator)

  for (const [line, sent] of [
    [`MSCRMCallerID: ${adele}`, ['mscrmcallerid', adele]],
    [`mscrmcallerid: ${adele.toUpperCase()}`, ['mscrmcallerid', adele.toUpperCase()]],
    [`CallerObjectId: ${adeleInEntra}`, ['callerobjectid', adeleInEntra]],
    [`MSCRMCallerObjectID: ${adeleInEntra}`, ['callerobjectid', adeleInEntra]],
  ] as const) {
    const answer = await ask(get('/WhoAmI', ...KEY, line))
    t.equal(answer.status, 200, line)
    t.match(answer.body, `"UserId":"${adele}"`)
    t.same(callerIdsOf(emulator), [sent])
  }
})

t.test('a Connection header does not remove the caller id', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  const { adele } = idsIn(emulator)
  const answer = await ask(
    `GET /WhoAmI HTTP/1.1\r\nHost: localhost\r\n${KEY.join('\r\n')}\r\nConnection: close, mscrmcallerid\r\n` +
      `MSCRMCallerID: ${adele}\r\n\r\n`,
  )

  t.match(answer.body, `"UserId":"${adele}"`)
})

t.test('several caller ids, or a malformed one, are refused before anything is sent', async (t) => {
  for (const mode of ['optional', 'required', 'off']) {
    const { ask, emulator } = await gatewayWith(t, { mode })
    const { adele, adeleInEntra } = idsIn(emulator)

    for (const lines of [
      [`MSCRMCallerID: ${adele}`, `CallerObjectId: ${adeleInEntra}`],
      [`MSCRMCallerID: ${adele}`, `mscrmcallerid: ${adele}`],
      [`CallerObjectId: ${adeleInEntra}`, `MSCRMCallerObjectID: ${adeleInEntra}`],
      [`MSCRMCallerID: ${adele}`, 'Caller-Object-Id: x'],
      [`MSCRMCallerID: ${adele}, ${adele}`],
      ['MSCRMCallerID: adele'],
      ['CallerObjectId:'],
      [`MSCRMCallerID: {${adele}}`],
      [`MSCRMCallerID: ${adele}x`],
      ['CallerObjectId: 00000000-0000-0000-0000-000000000000'],
      [`MSCRM-Caller-Id: ${adele}`],
      [`MSCRM_CallerID: ${adele}`],
      [`Caller_Object_Id: ${adeleInEntra}`],
    ]) {
      const answer = await ask(get('/WhoAmI', ...KEY, ...lines))
      t.match(answer, { status: 400, code: 'GATEWAY_BAD_REQUEST', body: /CallerObjectId|MSCRMCallerID/ }, lines.join())
    }
    t.equal(emulator.received.length, 0, mode)
  }
})

t.test('a caller id is refused where the product cannot act as a user', async (t) => {
  for (const mode of ['optional', 'off']) {
    const { ask, emulator } = await gatewayWith(t, { mode }, 'https://contoso.operations.dynamics.com')
    const answer = await ask(get('/Customers', ...KEY, `CallerObjectId: ${idsIn(emulator).adeleInEntra}`))

    t.match(answer, {
      status: 400,
      code: 'GATEWAY_BAD_REQUEST',
      body: /cannot act as a user: leave out CallerObjectId/,
    })
    t.equal(emulator.received.length, 0)
  }
})

t.test('in a batch the caller id is set on the batch, and is refused in its parts', async (t) => {
  const { ask, emulator } = await gatewayWith(t)
  const { adele } = idsIn(emulator)
  const batch = (lines: readonly string[], partLines: readonly string[]): Promise<RawAnswer> => {
    const body = [
      '--b',
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      'GET WhoAmI HTTP/1.1',
      ...partLines,
      '',
      '',
      '--b--',
      '',
    ].join('\r\n')
    return ask(
      requestOf(
        'POST /$batch',
        ...KEY,
        ...lines,
        'Content-Type: multipart/mixed;boundary=b',
        `Content-Length: ${body.length}`,
      ) + body,
    )
  }

  t.match((await batch([`MSCRMCallerID: ${adele}`], [])).body, `"UserId":"${adele}"`)
  const before = emulator.received.length
  t.match(await batch([], [`MSCRMCallerID: ${adele}`]), {
    status: 400,
    code: 'GATEWAY_BAD_BATCH',
    body: /Part 1 of the batch names the user by a caller id header/,
  })
  t.notOk(
    emulator.received.slice(before).some(({ body }) => body.includes(adele)),
    'nothing of it was carried out',
  )
})

const KEY = ['X-Api-Key: sync']

async function gatewayWith(
  t: Test,
  impersonation: object = {},
  url = 'https://contoso.crm4.dynamics.com',
): Promise<Fixture & { readonly ask: (bytes: string) => Promise<RawAnswer> }> {
  const fixture = await gatewayWithFile(t, (credential) => ({
    targets: [{ url, credential, impersonation }],
    callers: [{ name: 'sync', keys: [keyHash('sync')], users: [], callerIds: 'allow' }],
  }))
  const port = Number(new URL(fixture.url).port)
  return { ...fixture, ask: (bytes) => rawRequest({ port }, bytes) }
}

function idsIn(emulator: Emulator): { readonly adele: string; readonly adeleInEntra: string } {
  const row = emulator
    .rows('systemusers')
    .find(({ internalemailaddress }) => internalemailaddress === 'adele.vance@contoso.com')
  return { adele: String(row?.['systemuserid']), adeleInEntra: String(row?.['azureactivedirectoryobjectid']) }
}

/** The caller ids in the last request to Dynamics, names in lower case. */
function callerIdsOf(emulator: Emulator): (readonly [string, string])[] {
  const { rawHeaders } = emulator.received.at(-1)!
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && /caller/i.test(name) ? [[name.toLowerCase(), rawHeaders[index + 1]!] as const] : [],
  )
}
