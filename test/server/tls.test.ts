import { X509Certificate } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'

import { generate } from 'selfsigned'
import t from 'tap'
import type { Test } from 'tap'

import { knownCallers } from '../../src/callers/authenticate.ts'
import { alternativeNames, certificateOwner } from '../../src/callers/client-certificate.ts'
import { readNode } from '../../src/config/read-node.ts'
import { callers as schema } from '../../src/config/settings/callers.ts'
import { inboundServer } from '../../src/server/server.ts'

type Pair = { readonly cert: string; readonly private: string }

t.test(
  'a caller is authenticated by the fingerprint of its certificate, or by a name that a listed authority certified',
  async (t) => {
    const [authority, otherAuthority] = [await authorityOf('Contoso'), await authorityOf('Contoso')]
    const [billing, web, service, pinned] = [
      await issued(authority, 'billing'),
      await issued(authority, 'x', { type: 2, value: 'web.contoso.com' }),
      await issued(authority, 'y', { type: 6, value: 'spiffe://contoso/service' }),
      await issued(otherAuthority, 'pinned'),
    ]
    const ask = await gateway(t, authority.cert, [
      { name: 'billing', certificates: ['CN=billing'] },
      { name: 'web', certificates: ['DNS:web.contoso.com'] },
      { name: 'service', certificates: ['URI:spiffe://contoso/service'] },
      { name: 'pinned', certificates: [new X509Certificate(pinned.cert).fingerprint256] },
    ])

    t.equal(await ask(billing), 'billing')
    t.equal(await ask(web), 'web')
    t.equal(await ask(service), 'service')
    t.equal(await ask(pinned), 'pinned', 'a fingerprint needs no authority')
    t.equal(await ask(), 'nobody', 'without a certificate')
    t.equal(
      await ask(await issued(otherAuthority, 'billing')),
      'nobody',
      'a certificate from an authority that is not listed',
    )
    t.equal(await ask(await generatedFor('billing')), 'nobody', 'a self-signed certificate')
    t.equal(await ask(await issued(authority, 'other')), 'nobody', 'somebody else')
    t.equal(
      await ask(
        await generate(
          ['other', 'billing'].map((value) => ({ name: 'commonName', value })),
          {
            keyType: 'ec',
            algorithm: 'sha256',
            ca: { key: authority.private, cert: authority.cert },
            extensions: [{ name: 'basicConstraints', cA: false }],
          },
        ),
      ),
      'nobody',
      'it has two names, and no others',
    )
    t.equal(
      await ask(await issued(authority, 'billing', undefined, new Date(Date.now() - 1000))),
      'nobody',
      'it has expired',
    )
  },
)

t.test('without authorities, a certificate is requested for callers with a fingerprint', async (t) => {
  const [pinned, other] = [await generatedFor('pinned'), await generatedFor('other')]
  const certificates = [new X509Certificate(pinned.cert).fingerprint256]
  const ask = await gateway(t, undefined, [
    { name: 'keyed', keys: [] },
    { name: 'pinned', certificates },
  ])

  t.equal(await ask(pinned), 'pinned')
  t.equal(await ask(other), 'nobody')
  t.equal(await ask(), 'nobody')
})

t.test('the certificate is read once per connection', async (t) => {
  const authority = await authorityOf('Contoso')
  const ask = await gateway(t, authority.cert, [{ name: 'billing', certificates: ['CN=billing'] }])
  const { Agent } = await import('node:https')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const billing = await issued(authority, 'billing')

  t.equal(await ask(billing, { agent }), 'billing')
  t.equal(await ask(billing, { agent }), 'billing')
})

t.test('a closed connection authenticates nobody', (t) => {
  t.equal(certificateOwner([['CN=billing', 'billing']])(new TLSSocket(new Socket())), undefined)
  t.end()
})

t.test('a name that holds another is one name (CVE-2021-44532)', (t) => {
  t.same(alternativeNames('DNS:a.example, URI:spiffe://a, IP Address:127.0.0.1'), [
    'DNS:a.example',
    'URI:spiffe://a',
    'IP Address:127.0.0.1',
  ])
  t.same(alternativeNames('DNS:"a.example, DNS:victim.example, DNS:b.example"'), [
    'DNS:"a.example, DNS:victim.example, DNS:b.example"',
  ])
  t.same(alternativeNames(''), [])
  t.end()
})

t.test('a certificate is replaced while the gateway runs, and an invalid one leaves the old one in use', async (t) => {
  const folder = t.testdir({})
  const [first, second] = [await generatedFor('first'), await generatedFor('second')]
  write(folder, first)
  const errors: object[] = []
  const server = await listening(
    t,
    inboundServer(
      {
        headTimeout: 5000,
        bodyTimeout: 5000,
        maxConnections: 100,
        tls: { certificate: `${folder}/c.pem`, key: `${folder}/k.pem`, clientCa: undefined },
        callers: [],
      },
      { info: () => undefined, error: (facts) => errors.push(facts) },
      (_request, response) => response.end(),
    ),
  )
  t.equal(await servedName(server), 'first')

  writeFileSync(`${folder}/c.pem`, 'no certificate')
  while (errors.length === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(await servedName(server), 'first')

  write(folder, second)
  while ((await servedName(server)) !== 'second') await new Promise((resolve) => setTimeout(resolve, 50))
  t.pass('the new one is served')
})

t.test('old versions of TLS, and bytes that are not TLS, are refused', async (t) => {
  const folder = t.testdir({})
  write(folder, await generatedFor('gateway'))
  const server = await listening(
    t,
    inboundServer(
      {
        headTimeout: 5000,
        bodyTimeout: 5000,
        maxConnections: 100,
        tls: { certificate: `${folder}/c.pem`, key: `${folder}/k.pem`, clientCa: undefined },
        callers: [],
      },
      { info: () => undefined, error: () => undefined },
      (_request, response) => response.end(),
    ),
  )
  await t.rejects(answerOf(server, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }))
  const { rawRequest, get } = await import('../support/raw-http.ts')
  t.equal((await rawRequest(server, get('/'))).status, 0)
})

/** A server that responds with the caller's name. */
async function gateway(
  t: Test,
  clientCa: string | undefined,
  written: readonly object[],
): Promise<(pair?: Pair, options?: RequestOptions) => Promise<string>> {
  const folder = t.testdir({ 'ca.pem': clientCa ?? '' })
  write(folder, await generatedFor('gateway'))
  const callers = readNode(schema, written, {
    nameOf: (name) => name,
    source: { env: {}, file: () => '' },
    errors: [],
  })
  const identify = knownCallers({ callers, anybody: undefined as never }, () => Promise.reject(new Error('no issuer')))
  const server = inboundServer(
    {
      headTimeout: 5000,
      bodyTimeout: 5000,
      maxConnections: 100,
      tls: { certificate: `${folder}/c.pem`, key: `${folder}/k.pem`, clientCa: clientCa && `${folder}/ca.pem` },
      callers,
    },
    { info: () => undefined, error: () => undefined },
    async ({ socket }, response) =>
      void response.end(
        (await identify({ apiKey: undefined, authorization: undefined }, socket)).caller?.name ?? 'nobody',
      ),
  )
  await listening(t, server)
  return (pair, options) =>
    answerOf(server, { ...options, ...(pair === undefined ? {} : { cert: pair.cert, key: pair.private }) })
}

async function listening(t: Test, server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return server
}

function answerOf(server: Server, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        rejectUnauthorized: false,
        ...options,
      },
      (response) => {
        let body = ''
        response
          .on('data', (chunk) => {
            body += String(chunk)
          })
          .on('end', () => resolve(body))
      },
    )
      .on('error', reject)
      .end()
  })
}

function servedName(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject
        response.resume().on('end', () => resolve(String(CN)))
      },
    )
      .on('error', reject)
      .end()
  })
}

function write(folder: string, { cert, private: key }: Pair): void {
  writeFileSync(`${folder}/new.pem`, cert)
  writeFileSync(`${folder}/k.pem`, key)
  copyFileSync(`${folder}/new.pem`, `${folder}/c.pem`)
}

function generatedFor(name: string): Promise<Pair> {
  return generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' })
}

function authorityOf(name: string): Promise<Pair> {
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  })
}

function issued(
  { cert, private: key }: Pair,
  name: string,
  altName?: { type: 2 | 6; value: string },
  notAfterDate?: Date,
): Promise<Pair> {
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key, cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'subjectAltName', altNames: [altName ?? { type: 2, value: 'unlisted.example' }] },
    ],
    ...(notAfterDate === undefined ? {} : { notBeforeDate: new Date(Date.now() - 86_400_000), notAfterDate }),
  })
}
