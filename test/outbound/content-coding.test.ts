import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

import t from 'tap'

import { isEncoded } from '../../src/odata/content-type.ts'
import { contentCoding, decode, gunzipComplete } from '../../src/outbound/content-coding.ts'

const body = Buffer.from('{"error":{"code":"0x80040217"}}')

t.test('decodes each coding of a body, and of a prefix', async (t) => {
  for (const [contentEncoding, encoded] of [
    [undefined, body],
    ['identity', body],
    ['gzip', gzipSync(body)],
    ['x-gzip', gzipSync(body)],
    [' GZIP ', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['br', brotliCompressSync(body)],
  ] as const) {
    t.same(decode(encoded, contentEncoding, 1000), body, String(contentEncoding))
  }
  t.same(decode(gzipSync(body).subarray(0, -8), 'gzip', 1000), body, 'without the end of its stream')
})

t.test('returns nothing for a body that is damaged, too large, or encoded in an unknown way', async (t) => {
  t.equal(decode(body, 'gzip', 1000), undefined)
  t.equal(decode(gzipSync(Buffer.alloc(100_000)), 'gzip', 1000), undefined)
  t.equal(decode(body, 'br', 1000), undefined)
  t.equal(decode(body, 'zstd', 1000), undefined)
  t.equal(decode(body, 'gzip, br', 1000), undefined)
})

t.test('knows whether a body is encoded', async (t) => {
  t.equal(isEncoded(undefined), false)
  t.equal(isEncoded('Identity'), false)
  t.equal(isEncoded('zstd'), true)
  t.equal(contentCoding('zstd'), undefined)
})

t.test('a complete gzip body is decoded, or the reason is reported', async (t) => {
  t.same(gunzipComplete(gzipSync(body), 1000), body)
  t.equal(gunzipComplete(gzipSync(body), 10), 'too long')
  t.equal(gunzipComplete(gzipSync(body).subarray(0, -8), 1000), 'broken')
})
