import t from 'tap'

import { responseBatch } from '../../src/odata/batch.ts'
import { jsonScanner } from '../../src/odata/json-scanner.ts'
import { upstreamObjectLinks } from '../../src/odata/object-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { inOneChunk } from '../support/chunkings.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })

t.test('a value with an invalid first character is not JSON', async (t) => {
  const scanner = jsonScanner({ maxDepth: 3, begins() {}, ends() {} })
  t.throws(() => scanner.scan('[@]'), { name: 'MalformedBatch' })
})

t.test('a number in place of a link is not a link', async (t) => {
  const path = "/F(T={'@odata.id':5,'w':'http://gw:8080/a'})"
  t.equal(upstreamObjectLinks(map, path), path)
})

t.test('a batch with an endless head is refused before it fills the memory', async (t) => {
  const batch = responseBatch(map, 'multipart/mixed; boundary=b')!
  batch.push('--b\r\nContent-Type: application/http\r\n')
  t.throws(() => {
    for (let sent = 0; sent < 200; sent++) batch.push('x'.repeat(1024))
  }, /too long|longer/)
})

t.test('a member with an invalid name is not a link', async (t) => {
  const answer = `{"responses":[{"id":"1","headers":{"\\q":"${root}/a"},"status":200}]}`
  t.equal(inOneChunk(responseBatch(map, 'application/json')!, answer), answer)
})
