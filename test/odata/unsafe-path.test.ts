import fc from 'fast-check'
import t from 'tap'
import { unsafePath } from '../../src/odata/unsafe-path.ts'

t.test('paths that can be read in one way only are safe', async t => {
  for (const path of [
    '', '/', '/accounts', '/accounts/', '/accounts(1)/name/$value', "/accounts(name='A%2FB')", "/accounts(name='A/B')",
    "/accounts(name='a%2F..%2Fb')", "/accounts(name='..')", "/accounts(name='a%5Cb')", "/accounts(name='50%25')",
    "/accounts(name='a;b%23')", "/accounts%28name=%27a%2fb%27%29", "/accounts('it''s')", "/accounts('%C3%A9')",
    '/%C3%A9', '/F(a=@p,b=1)', '/F(a=%7B%22x%22:1%7D)', '/F(a=1,%20b=2)', '/$1/primarycontactid/$ref',
    '/opportunities(1)/Microsoft.Dynamics.CRM.WinOpportunity', "/Company('CRONUS%20AG')/x", '/a..b', '/~a-b_c!*',
  ]) {
    t.equal(unsafePath(path), undefined, path)
  }
})

t.test('paths that some reader could take for another are not', async t => {
  for (const path of [
    'accounts', '/../a', '/a/..', '/a/./b', '/a/%2e%2E/b', '/a/.%2e', '/...', "/accounts(name='a/../b')", '/a%2fb',
    '/a%5Cb', '/a\\b', '/a//b', '//a', '/a#b', '/a?b', '/a b', '/a%20b', '/a\u0000', '/a%00', "/a('%0a')", '/a%7f',
    '/%252e%252e', '/a%3bb', '/a;b', '/a%zz', '/a%', "/a('%c0%ae')", '/%c0%ae', '/é', '/%EF%BC%8E%EF%BC%8E/x',
    '/%EF%BC%8Fx', '/%E2%80%8Bx', "/a('x", '/a(1', '/a)', "/a'b'", '/a(1))', '/a(1/b)', '/a%23b', '/a%3Fb', '/a%22b<',
    '/\uff41',
  ]) {
    t.type(unsafePath(path), 'string', JSON.stringify(path))
  }
})

t.test('no path is safe of which a decoded form leads elsewhere', async t => {
  const pieces = fc.constantFrom(
    'a', '.', '..', '/', '%2f', '%2F', '%2e', '%252e', '%5c', '\\', "'", '%27', '(', ')', '%28', ';', '%00', 'é',
    '%C3%A9', '%',
  )
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(pieces, { maxLength: 12 }), parts => {
    const path = `/${parts.join('')}`
    if (unsafePath(path) !== undefined) return
    const { pathname } = new URL(path, 'http://x')
    if (pathname !== path.replaceAll("'", '%27') && pathname !== path) throw new Error(`normalised to ${pathname}`)
    const unquoted = decodeURIComponent(path.replace(/(?:%27|')(?:(?!%27|').)*(?:%27|')/g, ''))
    if (/[\\;%]|\/\.+(?:\/|$)/.test(unquoted)) throw new Error(`decoded to ${unquoted}`)
  }), { numRuns: 3000 }))
})
