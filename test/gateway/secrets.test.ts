import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import { listenOnFreePort } from '../support/connection-fixture.ts'
import { otlpReceiver } from '../support/otlp-receiver.ts'
import { rawSocket } from '../support/raw-socket.ts'
import { until } from '../support/until.ts'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const CERTIFICATES = fileURLToPath(new URL('../../../test/credentials/certificates', import.meta.url))

t.setTimeout(600_000)

/** One value per secret: letters and digits, so that every encoding of it can be detected. */
const SECRETS = {
  clientSecret: 'Zq1ClientSecretMarker',
  certificatePassword: 'Zq2CertificateMarker',
  federatedToken: 'Zq3FederatedMarker',
  apiKey: 'Zq4ApiKeyMarker',
  callerToken: 'Zq5CallerTokenMarker',
  proxyPassword: 'Zq6ProxyPasswordMarker',
  email: 'zq7personmarker',
  queryValue: 'Zq8QueryValueMarker',
  keyValue: 'Zq9KeyValueMarker',
  body: 'Zq10BodyMarker',
  cookie: 'Zq11CookieMarker',
  answer: 'Zq12AnswerMarker',
  foreignHeader: 'Zq13HeaderMarker',
  identityHeader: 'Zq14IdentityMarker',
  collectorKey: 'Zq15CollectorMarker',
}

/** Encodings of `text`: plain, hexadecimal, and base64 at every offset. */
function codings(text: string): string[] {
  const shifted = [0, 1, 2].flatMap((before) => {
    const coded = Buffer.from(`${'x'.repeat(before)}${text}`)
      .toString('base64')
      .replaceAll('=', '')
    // The first and last characters also encode neighbouring bytes.
    return coded.slice(before === 0 ? 0 : 4, -2)
  })
  return [
    text,
    ...shifted,
    ...shifted.map((coded) => coded.replaceAll('+', '-').replaceAll('/', '_')),
    Buffer.from(text).toString('hex'),
  ]
}

/** Each occurrence of a secret in `output`, with its surroundings. */
function leaks(output: string, secrets: Readonly<Record<string, string>>): string[] {
  const lower = output.toLowerCase()
  return Object.entries(secrets).flatMap(([name, secret]) =>
    codings(secret).flatMap((coded) => {
      const at = lower.indexOf(coded.toLowerCase())
      return at === -1 ? [] : [`${name}: …${output.slice(Math.max(0, at - 200), at + 100)}…`]
    }),
  )
}

/** The program with an emulated Entra and Dynamics; all its output is collected. */
async function programFor(t: Test) {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  } as never)
  const emulator = await startEmulator({ tls: { key, cert } })
  emulator.secrets.add(SECRETS.clientSecret)
  emulator.put('systemusers', {
    ...emulator
      .rows('systemusers')
      .find(({ internalemailaddress }) => internalemailaddress === 'adele.vance@contoso.com')!,
    systemuserid: '77777777-7777-4777-8777-777777777777',
    internalemailaddress: `${SECRETS.email}@contoso.com`,
    azureactivedirectoryobjectid: '77777777-7777-4777-8777-777777777778',
  })
  const address = emulator.origin.replace('127.0.0.1', 'localhost')
  const folder = t.testdir({
    'ca.pem': cert,
    token: `eyJ${SECRETS.federatedToken}.x.y`,
    'gateway.json': JSON.stringify(settings(address, emulator)),
  })
  copyFileSync(`${CERTIFICATES}/marker.pfx`, `${folder}/app.pfx`)
  const proxy = await proxyFor(t)
  const collector = await otlpReceiver(t)
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', 'gateway.json'], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      NODE_EXTRA_CA_CERTS: `${folder}/ca.pem`,
      PORT: '0',
      LOG_LEVEL: 'trace',
      LOG_FORMAT: 'json',
      AUDIT_LOG: 'stdout',
      SECRET: SECRETS.clientSecret,
      PFX_PASSWORD: SECRETS.certificatePassword,
      IDENTITY_ENDPOINT: `http://127.0.0.1:${await identityFor(t)}/msi/token`,
      IDENTITY_HEADER: SECRETS.identityHeader,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRETS.collectorKey}`,
      OTEL_TRACES_SAMPLER: 'always_on',
      HTTPS_PROXY: `http://svc:${SECRETS.proxyPassword}@127.0.0.1:${proxy.port}`,
    },
  })
  const output = { text: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.text += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.text += text
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await emulator.close()
  })
  await until(() => /"address":"[^"]+"/.test(output.text))
  return {
    emulator,
    output,
    child,
    folder,
    collector,
    asked: proxy.asked,
    url: /"address":"([^"]+)"/.exec(output.text)![1]!,
  }
}

function settings(
  address: string,
  { tenantId, clientId }: { readonly tenantId: string; readonly clientId: string },
): object {
  const target = (name: string, credential: object, url = address): object => ({
    name,
    url,
    credential,
    authorityHost: address,
    requestTimeout: '1s',
    connectTimeout: '1s',
    tokenTimeout: '1s',
  })
  const app = { tenantId, clientId }
  return {
    callers: [
      { name: 'app', keys: [createHash('sha256').update(SECRETS.apiKey).digest('hex')] },
      { name: 'web', token: { issuer: `${address}/${tenantId}/v2.0`, audience: ['x'], subjects: ['x'] } },
    ],
    bodyTimeout: '1s',
    targets: [
      target('sales', { kind: 'client-secret', ...app, secret: { env: 'SECRET' } }),
      target('certificate', { kind: 'certificate', ...app, file: 'app.pfx', password: { env: 'PFX_PASSWORD' } }),
      target('workload', { kind: 'workload-identity', ...app, file: 'token' }),
      target('identity', { kind: 'managed-identity' }),
      // Reached through the proxy.
      target('far', { kind: 'client-secret', ...app, secret: { env: 'SECRET' } }, 'https://contoso.crm4.dynamics.com'),
      {
        name: 'farther',
        url: 'https://fabrikam.crm4.dynamics.com',
        credential: {
          kind: 'client-secret',
          ...app,
          secret: { env: 'SECRET' },
        },
      },
    ],
  }
}

/**
 * A proxy that fails in a different way each time, and echoes the request. `asked` are the request lines that it got.
 */
async function proxyFor(t: Test): Promise<{ readonly port: number; readonly asked: readonly string[] }> {
  let count = 0
  const asked: string[] = []
  const port = await listenOnFreePort(
    t,
    createServer((socket) =>
      socket
        .on('error', () => {})
        .once('data', (head) => {
          count += 1
          asked.push(head.toString().split('\r\n')[0]!)
          const echo = `X-Echo: ${/authorization: (.*)/i.exec(head.toString())?.[1] ?? ''}`
          if (count % 4 === 0) return void socket.resetAndDestroy()
          const status = ['200 OK', '407 Proxy Authentication Required', '502 Bad Gateway'][count % 3]!
          socket.end(`HTTP/1.1 ${status}\r\n${echo}\r\nContent-Length: 0\r\n\r\n`)
        }),
    ),
  )
  return { port, asked }
}

/** A managed identity endpoint that echoes its secret header. */
function identityFor(t: Test): Promise<number> {
  return listenOnFreePort(
    t,
    createServer((socket) =>
      socket
        .on('error', () => {})
        .once('data', () => {
          const body = JSON.stringify({
            error: 'bad',
            error_description: SECRETS.identityHeader,
            message: SECRETS.identityHeader,
          })
          socket.end(
            `HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          )
        }),
    ),
  )
}

t.test(
  'no secret gets into log, audit log, traces, metrics or status page in any encoding, whatever fails',
  async (t) => {
    const { emulator, output, child, folder, url, asked, collector } = await programFor(t)
    const user = { 'x-user-email': `${SECRETS.email}@contoso.com` }
    const everything = {
      'x-api-key': SECRETS.apiKey,
      cookie: `session=${SECRETS.cookie}`,
      'x-custom': SECRETS.foreignHeader,
      'content-type': 'application/json',
      ...user,
    }
    const query = `?$filter=name eq '${SECRETS.queryValue}'`
    const body = JSON.stringify({ name: SECRETS.body })
    const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
      const response = await fetch(`${url}${path}`, {
        ...init,
        headers: { ...everything, ...(init.headers as object) },
      }).catch(() => undefined)
      await response?.text().catch(() => '')
    }
    const askAll = async (): Promise<void> => {
      await ask(`/sales/accounts${query}`)
      await ask(`/sales/accounts(accountnumber='${SECRETS.keyValue}')`, {
        method: 'PATCH',
        body,
        headers: { 'if-match': '*' },
      })
      await ask('/sales/accounts', { method: 'POST', body })
      await ask('/sales/$batch', {
        method: 'POST',
        body: JSON.stringify({
          requests: [{ id: '1', method: 'GET', url: `accounts${query}` }],
        }),
      })
    }

    // First without faults. On a busy machine the first token may take longer than its timeout.
    await until(async () => (await fetch(`${url}/sales/WhoAmI`, { headers: everything })).status === 200)
    await askAll()
    await ask('/sales/contacts(1)')

    // Errors of callers.
    for (const headers of [
      { 'x-api-key': `${SECRETS.apiKey}x` },
      { 'x-api-key': '', authorization: `Bearer ${SECRETS.apiKey}x` },
      {
        'x-api-key': '',
        authorization: `Bearer eyJhbGciOiJub25lIn0.${Buffer.from(`{"iss":"${SECRETS.callerToken}"}`).toString('base64url')}.`,
      },
      { 'x-user-email': `${SECRETS.email}, x@y` },
      { 'x-user-email': `${SECRETS.email}@unknown.example` },
      { callerobjectid: SECRETS.foreignHeader },
      { host: `${SECRETS.foreignHeader}.example` },
      { origin: `https://${SECRETS.foreignHeader}.example` },
      { prefer: `wait=1, ${SECRETS.foreignHeader}` },
      { 'x-http-method-override': SECRETS.foreignHeader },
      { 'content-type': `multipart/mixed; boundary=${SECRETS.body}` },
    ]) {
      await ask(`/sales/accounts${query}`, { headers })
      await ask('/sales/$batch', { method: 'POST', body: `{"requests":[{"${SECRETS.body}`, headers })
    }
    for (const path of [
      `/sales/${SECRETS.keyValue}%2f`,
      `/sales/accounts('${SECRETS.keyValue}'`,
      `/nothing/accounts${query}`,
      `/sales/api/data/accounts${query}`,
      `/-/nothing${query}`,
      `/sales/accounts//x${query}`,
    ]) {
      await ask(path)
    }
    for (const text of [
      `GET /sales/accounts?$filter=name eq ${SECRETS.queryValue} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ${SECRETS.apiKey}\r\n\r\n`,
      `${SECRETS.body} nonsense\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: localhost\r\n${SECRETS.cookie}\r\n\r\n`,
      `POST /sales/accounts HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ${SECRETS.apiKey}\r\nTransfer-Encoding: chunked\r\n\r\nzz${SECRETS.body}\r\n\r\n`,
      `POST /sales/accounts HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ${SECRETS.apiKey}\r\nContent-Length: 100\r\n\r\n${SECRETS.body}`,
      `CONNECT ${SECRETS.queryValue}:443 HTTP/1.1\r\nHost: ${SECRETS.queryValue}\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${SECRETS.cookie.repeat(20_000)}\r\n\r\n`,
    ]) {
      await rawSocket(url, text)
    }
    // A caller that disconnects during its request.
    const left = connect(Number(new URL(url).port), '127.0.0.1')
    left.write(
      `POST /sales/accounts HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ${SECRETS.apiKey}\r\nContent-Length: 99\r\n\r\n${SECRETS.body}`,
    )
    left.destroySoon()

    // Errors of Dynamics, which echo the request.
    const echo = JSON.stringify({
      error: {
        code: '0x80060888',
        message: `${Object.values(SECRETS).join(' ')} internalemailaddress eq '${SECRETS.email}@contoso.com'`,
        innererror: { message: SECRETS.answer, stacktrace: SECRETS.answer },
      },
    })
    const json = {
      'content-type': 'application/json',
      'set-cookie': SECRETS.cookie,
      'x-ms-diagnostics': SECRETS.answer,
    }
    for (const fault of [
      { kind: 'reset' },
      { kind: 'reset after commit' },
      { kind: 'half' },
      { kind: 'invalid head' },
      { kind: 'html' },
      { kind: 'hang' },
      { kind: 'big head', size: 200_000 },
      { kind: 'challenge' },
      { kind: 'deadlock' },
      { kind: 'throttle', limit: 'count', retryAfter: 30 },
      { kind: 'unavailable' },
      ...[400, 401, 403, 404, 412, 429, 500, 502, 503].map((status) => ({
        kind: 'answer',
        status,
        body: echo,
        headers: json,
      })),
      ...['0x80072560', '0x80042f09', '0x8004a110', '0x80040225', '0x80095ffc'].map((code) => ({
        kind: 'answer',
        status: 403,
        body: echo.replace('0x80060888', code),
        headers: json,
      })),
      { kind: 'answer', status: 302, headers: { location: `https://evil.example/?${SECRETS.answer}` } },
      {
        kind: 'answer',
        status: 201,
        headers: { ...json, location: `https://${SECRETS.answer}.example/x` },
        body: '{}',
      },
      { kind: 'answer', status: 200, headers: json, body: `{"value":[${SECRETS.answer}` },
      { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: `<h1>${SECRETS.answer}</h1>` },
      { kind: 'answer', status: 200, headers: { ...json, 'content-encoding': 'gzip' }, body: SECRETS.answer },
      {
        kind: 'answer',
        status: 200,
        headers: { 'content-type': `multipart/mixed; boundary=${SECRETS.answer}` },
        body: SECRETS.answer,
      },
    ]) {
      emulator.faults.dataverse.always(fault as never)
      await askAll()
      emulator.faults.clear()
    }

    // Errors of Entra.
    emulator.revokeTokens()
    const description = {
      error: 'invalid_client',
      error_description: `AADSTS7000215: ${Object.values(SECRETS).join(' ')}`,
    }
    for (const fault of [
      { kind: 'answer', status: 400, headers: json, body: JSON.stringify(description) },
      {
        kind: 'answer',
        status: 400,
        headers: json,
        body: JSON.stringify({
          ...description,
          error: SECRETS.clientSecret,
          error_codes: [SECRETS.clientSecret],
          trace_id: SECRETS.clientSecret,
        }),
      },
      { kind: 'answer', status: 302, headers: { location: `https://evil.example/?${SECRETS.clientSecret}` } },
      { kind: 'answer', status: 200, headers: json, body: `{"access_token":"${SECRETS.answer}` },
      {
        kind: 'answer',
        status: 200,
        headers: json,
        body: `{"access_token":"${SECRETS.answer} x","token_type":"${SECRETS.answer}"}`,
      },
      { kind: 'reset' },
      { kind: 'hang' },
      { kind: 'html' },
      { kind: 'garbage' },
      { kind: 'crash' },
      { kind: 'invalid head' },
      { kind: 'aadsts', number: 7000222 },
    ]) {
      emulator.faults.entra.always(fault as never)
      child.kill('SIGHUP')
      await ask('/sales/WhoAmI')
      await until(() => emulator.faults.entra.pending === 0)
      emulator.faults.clear()
    }

    // Unusable credentials and proxies. The new file has another password.
    copyFileSync(`${CERTIFICATES}/aes.pfx`, `${folder}/app.pfx`)
    await until(() => output.text.includes('a file of the credential changed'))
    for (const name of ['certificate', 'workload', 'identity', 'far', 'farther']) {
      for (let count = 0; count < 6; count += 1)
        await ask(`/${name}/accounts${query}`, { method: count < 3 ? 'GET' : 'POST', ...(count < 3 ? {} : { body }) })
    }

    const own = await Promise.all(
      ['/-/', '/-/metrics', '/-/readyz', '/-/livez'].map(async (path) =>
        (await fetch(`${url}${path}`, { headers: { 'x-api-key': SECRETS.apiKey } })).text(),
      ),
    )
    child.kill('SIGTERM')
    await until(() => output.text.includes('"msg":"stopped"'))

    // The audit log must name the changed record, also by an alternate key.
    const { keyValue, collectorKey, ...rest } = SECRETS
    const others = { ...rest, collectorKey }
    const audited = output.text.split('\n').filter((line) => line.startsWith('{"time"'))
    const logged = output.text.split('\n').filter((line) => !line.startsWith('{"time"'))
    const traced = collector.exports.map(({ body }) => body.toString('latin1')).join('\n')
    const seen = output.text + own.join('\n') + traced
    const tokens = [...new Set(emulator.received.map(({ headers }) => headers['authorization'] ?? ''))].filter(
      (one) => one !== '',
    )
    t.ok(tokens.length > 0 && output.text.split('\n').length > 100, 'the test tried and logged enough')
    for (const code of [
      'GATEWAY_CALLER_UNKNOWN',
      'GATEWAY_BAD_BATCH',
      'GATEWAY_DYNAMICS_BROKE_OFF',
      'GATEWAY_DYNAMICS_TOO_SLOW',
      'no access token',
    ])
      t.ok(output.text.includes(code), code)
    t.ok(audited.length > 10)
    t.ok(collector.spans.length > 200, 'the test traced enough')
    t.ok(
      collector.exports.every(
        ({ headers }) => headers['x-key'] === collectorKey && headers.authorization === undefined,
      ),
    )
    t.match(asked.join(), /CONNECT contoso\.crm4\.dynamics\.com:443/)
    t.notMatch(asked.join(), /localhost|127\.0/, 'loopback is never reached through a proxy')
    t.same(leaks(seen, others), [])
    t.same(leaks(logged.join('\n') + own.join('\n') + traced, { keyValue }), [])
    t.notMatch(seen, /eyJ[\w-]{10}/, 'no token')
    t.notMatch(seen, /@contoso\.com|@unknown/)
    for (const token of tokens) t.notOk(seen.includes(token.split('.').at(-1)!.slice(0, 20)))
  },
)

t.test('configuration errors show no secret, whichever variable contains it', async (t) => {
  const names = readFileSync(new URL('../../../config/README.md', import.meta.url), 'utf8').matchAll(
    /`([A-Z][A-Z0-9_]{3,})`/g,
  )
  // Node itself prints errors of its own variables.
  const variables = [...new Set([...names].map(([, name]) => name!)), 'ALL_PROXY', 'https_proxy', 'no_proxy'].filter(
    (name) => !name.startsWith('NODE_'),
  )
  const cwd = t.testdir()
  t.ok(variables.length > 30)
  const values = [
    'Zq15Misplaced~Secret',
    'http://svc:Zq15#Misplaced@x',
    'https://svc:Zq15Misplaced@x',
    'Zq15 Misplaced',
    'socks5://Zq15Misplaced',
  ]
  for (const value of values) {
    const outputs = await Promise.all(
      chunks(variables, 12).map(async (some) => {
        const child = spawn(process.execPath, [MAIN, 'check'], {
          cwd,
          env: { PATH: process.env['PATH'], ...Object.fromEntries(some.map((name) => [name, value])) },
        })
        let text = ''
        child.stdout.on('data', (chunk) => {
          text += String(chunk)
        })
        child.stderr.on('data', (chunk) => {
          text += String(chunk)
        })
        await new Promise((resolve) => {
          child.on('close', resolve)
        })
        return text
      }),
    )
    for (const text of outputs) t.notMatch(text, /zq15/i, value)
  }
})

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

t.test('an encoded secret would be found', async (t) => {
  const hidden = SECRETS.proxyPassword
  for (const text of [
    hidden,
    `svc:${hidden}`,
    Buffer.from(`svc:${hidden}`).toString('base64'),
    Buffer.from(`x${hidden}`).toString('base64url'),
    Buffer.from(`xy${hidden}yy`).toString('base64'),
    Buffer.from(hidden).toString('hex').toUpperCase(),
    encodeURIComponent(`"${hidden}"`),
  ]) {
    t.ok(
      leaks(`… ${text} …`, SECRETS).some((leak) => leak.startsWith('proxyPassword')),
      text,
    )
  }
  t.same(leaks(gzipSync('nothing').toString('latin1'), SECRETS), [])
})
