import t from 'tap'

import { callerChecks } from '../../src/config/caller-checks.ts'
import { readNode } from '../../src/config/read-node.ts'
import type { ReadContext } from '../../src/config/read-node.ts'
import type { Settings } from '../../src/config/schema.ts'
import { callers as schema } from '../../src/config/settings/callers.ts'

const hash = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
const token = { issuer: 'https://idp.example', audience: ['api://gateway'], roles: ['Read'] }
const tls: { certificate: string; key: string; clientCa: string | undefined } = {
  certificate: '/c.pem',
  key: '/k.pem',
  clientCa: undefined,
}

t.test('callers that can be told apart are accepted', (t) => {
  t.same(
    errorsOf([
      { name: 'a', keys: [hash] },
      { name: 'b', token, userFrom: 'oid' },
    ]),
    [],
  )
  t.same(
    errorsOf([{ name: 'a', certificates: [hash, 'CN=a', 'DNS:a.example', 'URI:spiffe://a'] }], {
      ...tls,
      clientCa: '/ca.pem',
    }),
    [],
  )
  t.same(errorsOf([{ name: 'a', certificates: [hash.toUpperCase().replace(/..(?!$)/g, '$&:')] }], tls), [])
  t.end()
})

t.test('settings that would admit the wrong callers, or none, are errors', (t) => {
  for (const [sentence, callers] of [
    [
      /two are called a/,
      [
        { name: 'a', keys: [hash] },
        { name: 'a', token },
      ],
    ],
    [
      /ba7816bf… is listed twice/,
      [
        { name: 'a', keys: [hash] },
        { name: 'b', keys: [hash] },
      ],
    ],
    [/nothing tells a from others/, [{ name: 'a' }]],
    [/needs an audience/, [{ name: 'a', token: { ...token, audience: [] } }]],
    [/any app that can have a token/, [{ name: 'a', token: { ...token, roles: [] } }]],
    [/by nothing else/, [{ name: 'a', token, keys: [hash], userFrom: 'oid' }]],
    [/comes from its token/, [{ name: 'a', keys: [hash], userFrom: 'email' }]],
    [/describe tls/, [{ name: 'a', certificates: [hash] }]],
    [/is not a SHA-256 hash/, [{ name: 'a', keys: ['secret'] }]],
    [/is not an https/, [{ name: 'a', token: { ...token, issuer: 'http://idp.example' } }]],
    [/is not an https/, [{ name: 'a', token: { ...token, issuer: 'idp' } }]],
    [/algorithm that is not accepted/, [{ name: 'a', token: { ...token, algorithms: ['HS256'] } }]],
    [/not a certificate/, [{ name: 'a', certificates: ['billing'] }]],
    [/names no user/, [{ name: 'a', keys: [hash], users: ['contoso.com'] }]],
    [/did you mean no-delete/, [{ name: 'a', keys: [hash], rules: ['nodelete'] }]],
  ] as const)
    t.match(errorsOf(callers).join('\n'), sentence, sentence.source)
  t.match(errorsOf([{ name: 'a', token, userFrom: 'oid' }], undefined, 'off').join(), /impersonation is off/)
  t.match(errorsOf([{ name: 'a', certificates: ['CN=a'] }], tls).join(), /tls\.clientCa/)
  t.match(
    errorsOf(
      [
        { name: 'a', certificates: [hash] },
        { name: 'b', certificates: [hash] },
      ],
      tls,
    ).join(),
    /the certificate .* is listed twice/,
  )
  t.end()
})

function errorsOf(written: readonly object[], served?: typeof tls, mode?: 'off'): string[] {
  const errors: string[] = []
  const callers = readNode(schema, written, reading(errors))
  if (errors.length === 0)
    callerChecks(
      {
        callers,
        tls: served,
        targets: mode === undefined ? [] : [{ impersonation: { mode } } as Settings['targets'][number]],
      },
      errors,
    )
  return errors
}

function reading(errors: string[]): ReadContext {
  return { nameOf: (name) => `callers${name}`, source: { env: {}, file: () => '' }, errors }
}
