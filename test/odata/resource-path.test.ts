import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { parseRule } from '../../src/config/rule.ts'
import { requestBatch } from '../../src/odata/batch.ts'
import { targetFault } from '../../src/odata/request-target.ts'
import { pathFault, pathSegments } from '../../src/odata/resource-path.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { denialReason } from '../../src/rules/evaluate.ts'

const PIECES = [
  'a',
  'accounts',
  '.',
  '..',
  '/',
  '%2f',
  '%2F',
  '%2e',
  '%252e',
  '%5c',
  '\\',
  "'",
  '%27',
  '(',
  ')',
  '%28',
  '%29',
  ';',
  '%00',
  'é',
  '%C3%A9',
  '%',
  '$batch',
  '$',
  '%24',
  'batch',
  '(1)',
  '=',
  ',',
  '@',
  '<',
  '%3C',
  '|',
  '"',
  '%20',
  '#',
  '$value',
  'Microsoft.Dynamics.CRM.X',
]

t.test('unambiguous paths are safe', (t) => {
  for (const path of [
    '/',
    '/accounts',
    '/accounts/',
    '/accounts(1)/name/$value',
    "/accounts(name='A%2FB')",
    "/accounts(name='A/B')",
    "/accounts(name='a%2F..%2Fb')",
    "/accounts(name='..')",
    "/accounts(name='a%5Cb')",
    "/accounts(name='50%25')",
    "/accounts(name='a;b%23')",
    '/accounts%28name=%27a%2fb%27%29',
    "/accounts('it''s')",
    "/accounts('%C3%A9')",
    '/F(a=@p,b=1)',
    '/F(a=%7B%22x%22:1%7D)',
    '/F(a=1,%20b=2)',
    '/F(a=1)(2)/name',
    '/$1/primarycontactid/$ref',
    '/opportunities(1)/Microsoft.Dynamics.CRM.WinOpportunity',
    "/Company('CRONUS%20AG')/x",
    '/a..b',
    '/~a-b_c!*',
    '/$batch',
    '/api/data/v9.2/$batch/',
    '/%24BATCH',
    "/accounts(name='$batch')/x",
  ])
    t.equal(pathFault(path), undefined, path)
  t.end()
})

t.test('ambiguous paths are not safe', (t) => {
  for (const path of [
    '',
    'accounts',
    '/../a',
    '/a/..',
    '/a/./b',
    '/a/%2e%2E/b',
    '/a/.%2e',
    '/...',
    '/a/..../b',
    '/a/%2e%2e%2e',
    "/accounts(name='a/../b')",
    '/a%2fb',
    '/a%5Cb',
    '/a\\b',
    '/a//b',
    '//a',
    '/a//',
    '/a#b',
    '/a?b',
    '/a b',
    '/a%20b',
    '/a\u0000',
    '/a%00',
    "/a('%0a')",
    "/a('%c2%85')",
    '/a%7f',
    '/%252e%252e',
    '/a%3bb',
    '/a;b',
    '/a%zz',
    '/a%',
    "/a('%c0%ae')",
    '/%c0%ae',
    '/é',
    '/%C3%A9',
    '/%EF%BC%8E%EF%BC%8E/x',
    '/%EF%BC%8Fx',
    '/%E2%80%8Bx',
    "/a('x",
    '/a(1',
    '/a)',
    "/a'b'",
    '/a(1))',
    '/a(1/b)',
    '/a%23b',
    '/a%3Fb',
    '/a%22b<',
    '/a%3Cx',
    '/a|',
    '/a(1|2)',
    '/a(<)',
    '/\uff41',
    '/a.',
    '/a./b',
    '/a.(1)',
    '/a%2e',
    '/(1)',
    '/a(1)b',
    '/a(1)b/c',
    "/a(1)'b'",
    '/a{b}',
    '/a[1]',
  ])
    t.type(pathFault(path), 'string', JSON.stringify(path))
  t.end()
})

t.test('a path that ends in $batch but is not a batch is refused', (t) => {
  for (const path of [
    '/foo.$batch',
    '/api/data/v9.2r$batch',
    '/v9.2r$batch',
    '/x$batch/',
    '/$batch$batch',
    '/$batch.x',
    '/a($batch)',
    '/$%62atch',
    '/%24%62atch',
    '/$b%61tch',
    '/$batch()',
    '/$batch(1)',
    '/%24batch()',
    '/$batchx',
    '/$batch/x',
    '/$batch/$count',
    '/x/$batc%68/',
    '/$batch/$batch',
    '/$batch//',
  ])
    t.type(pathFault(path), 'string', path)
  t.end()
})

t.test('the segments of a path are its names', (t) => {
  const names = (path: string): unknown => pathSegments(path)?.map(({ name, hasParentheses }) => [name, hasParentheses])
  t.same(names('/'), [])
  t.same(names('/accounts/'), [['accounts', false]])
  t.same(names("/%61ccounts%281%29/x(a='b/c(')/$value"), [
    ['accounts', true],
    ['x', true],
    ['$value', false],
  ])
  t.equal(names('/a//b'), undefined)
  t.end()
})

t.test('a path whose decoded form is another resource is not safe', (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }), (parts) => {
        const path = `/${parts.join('')}`
        if (pathFault(path) !== undefined) return
        const { pathname } = new URL(path, 'http://x')
        if (decodeURI(pathname) !== decodeURI(path)) throw new Error(`tidied to ${pathname}`)
        const unquoted = decodeURIComponent(path.replace(/(?:%27|')(?:(?!%27|').)*(?:%27|')/g, ''))
        if (/[\\;%]|\/\.+(?:\/|$)/.test(unquoted)) throw new Error(`decoded to ${unquoted}`)
      }),
      { numRuns: 10_000 },
    ),
  )
  t.end()
})

t.test('the door, a part of a batch and the rules agree on every path', (t) => {
  const map = urlMap(targetAddress('https://org.crm4.dynamics.com/api/data/v9.2'), {
    base: 'http://localhost',
    form: 'short',
  })
  const everything = ['allow * *'].map(parseRule)
  /** The rewritten batch with one request, and the operation that was authorized. */
  const asPart = (url: string): string | undefined => {
    let shown: string | undefined
    const batch = requestBatch(map, 'application/json', {
      onPart: ({ resourcePath }) => {
        shown = resourcePath
      },
    })
    const requests = [{ id: '1', method: 'GET', url }]
    try {
      const text = batch.push(Buffer.from(JSON.stringify({ requests })).toString()) + batch.end()
      return JSON.parse(text).requests[0].url === url ? shown : undefined
    } catch {
      return undefined
    }
  }
  let safe = 0
  const verdicts = (path: string): void => {
    const door = targetFault(path) === undefined
    const rules = denialReason({ method: 'GET', resourcePath: path, query: '' }, everything) === undefined
    // A batch as a part is always refused.
    const isBatch = /^\/(?:.*\/)?(?:\$|%24)batch\/?$/i.test(path)
    const part = asPart(`/api/data/v9.2${path}`)
    if (door !== rules) throw new Error(`${path}: the door says ${door}, the rules say ${rules}`)
    if (!isBatch && door !== (part === path)) throw new Error(`${path}: the door says ${door}, a part gets ${part}`)
    if ((pathFault(path) === undefined) !== (pathSegments(path) !== undefined)) throw new Error(`${path}: segments`)
    if (door) safe += 1
  }
  for (const before of ['', '/a', '/a(1)', "/a(b='"]) {
    for (let code = 0; code < 256; code += 1) {
      const escaped = `%${code.toString(16).padStart(2, '0')}`
      for (const one of [String.fromCharCode(code), escaped, escaped.toUpperCase()]) {
        for (const after of ['', 'x', "')", '/x', '(1)']) {
          // A question mark starts the query, so it cannot be in a path.
          if (one !== '?') verdicts(`${before}${before === '' ? '/' : ''}${one}${after}`)
        }
      }
    }
  }
  const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 10 })
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(pieces, (parts) => verdicts(`/${parts.join('')}`)),
      { numRuns: 20_000 },
    ),
  )
  t.ok(safe > 2000, `${safe} of them are safe`)
  t.end()
})

t.test('the path before the API root of a part follows the same rule', (t) => {
  const map = urlMap(targetAddress('https://api.businesscentral.dynamics.com/v2.0/Production/api/v2.0'), {
    base: 'http://localhost',
    form: 'short',
  })
  const part = (url: string): string => {
    const batch = requestBatch(map, 'application/json', { onPart: () => undefined })
    return batch.push(JSON.stringify({ requests: [{ id: '1', method: 'GET', url }] })) + batch.end()
  }
  t.match(part('/v2.0/contoso.com/Production/api/v2.0/companies'), 'contoso.com')
  for (const tenant of ['..', '%2e%2e', '%2e%2e%2fx', 'a;b', 'a%5cb', '%252e']) {
    const url = `/v2.0/${tenant}/Production/api/v2.0/companies`
    t.throws(() => part(url), { name: 'RefusedPart' }, url)
    t.throws(() => part(`https://api.businesscentral.dynamics.com${url}`), { name: 'RefusedPart' }, url)
  }
  t.end()
})

t.test('a path of 32,768 characters is checked in linear time', (t) => {
  for (const piece of ['/a(', '/.', '.', '(', '/a', "'", '%27', '/$batch', '/a.', '$', '%2e', '/;']) {
    const path = `/${piece.repeat(32_768 / piece.length)}`
    t.equal(pathFault(path) === undefined, pathSegments(path) !== undefined, piece)
  }
  t.end()
})
