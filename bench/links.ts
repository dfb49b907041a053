/**
 * CPU of rewriting the links of answers, in microseconds per call: `node dist/bench/links.js`. The pages look like
 * those of Dataverse: an etag and formatted values in each row, and some data that looks like a link.
 */
import { Buffer } from 'node:buffer'

import { requestLinks } from '../src/odata/request-links.ts'
import { responseLinks } from '../src/odata/response-links.ts'
import { targetAddress } from '../src/odata/target-address.ts'
import { rewriteChunk } from '../src/odata/text-transform.ts'
import type { TextTransform } from '../src/odata/text-transform.ts'
import { urlMap } from '../src/odata/url-map.ts'

const target = targetAddress('https://contoso.crm4.dynamics.com/api/data/v9.2')
const address = { base: 'http://localhost:8080', otherBases: ['http://127.0.0.1:8080'], form: 'short' } as const
const map = urlMap(target, address)
const calls = Number(process.argv[2] ?? 2000)

print('make the map of a request', 100 * calls, () => urlMap(target, address))
for (const rows of [2, 35, 1800]) {
  const page = pageOf(rows)
  const socket = chunks(page, 65_536)
  const label = `${Math.round(page.length / 1024)} KiB`
  print(`outward, ${label} whole`, times(rows), () => through(responseLinks(map), [page]))
  print(`outward, ${label} in chunks`, times(rows), () => through(responseLinks(map), socket))
  print(`inward, ${label} whole`, times(rows), () => through(requestLinks(map), [page]))
}
const plain = Buffer.from(JSON.stringify({ BlockData: Buffer.alloc(768 * 1024, 'no link').toString('base64') }))
print('inward, 1 MiB of base64', calls, () => through(requestLinks(map), [plain]))
const full = Buffer.from(JSON.stringify({ value: Array.from({ length: 100 }, fullRow) }))
print('outward, 600 KiB of 4,200 links', calls / 10, () => through(responseLinks(map), [full]))

function times(rows: number): number {
  return Math.ceil((calls * 20) / Math.sqrt(rows))
}

function through(transform: TextTransform, input: readonly Buffer[]): number {
  let size = 0
  for (const chunk of input) size += rewriteChunk(transform, chunk).length
  return size + transform.end().length
}

function print(label: string, count: number, call: () => unknown): void {
  for (let warm = 0; warm < count / 4; warm++) call()
  const before = process.cpuUsage()
  for (let done = 0; done < count; done++) call()
  const { user, system } = process.cpuUsage(before)
  console.log(`${label.padEnd(48)} ${((user + system) / count).toFixed(2).padStart(9)} µs`)
}

function chunks(bytes: Buffer, size: number): readonly Buffer[] {
  const count = Math.ceil(bytes.length / size)
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}

function pageOf(rows: number): Buffer {
  const root = 'https://contoso.crm4.dynamics.com/api/data/v9.2'
  return Buffer.from(
    JSON.stringify({
      '@odata.context': `${root}/$metadata#accounts(name,revenue,websiteurl)`,
      value: Array.from({ length: rows }, (_, index) => row(index)),
      '@odata.nextLink': `${root}/accounts?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E`,
    }),
  )
}

function row(index: number): object {
  return {
    '@odata.etag': `W/"${1_234_567 + index}"`,
    accountid: `00000000-0000-0000-0000-${String(index).padStart(12, '0')}`,
    name: `Fabrikam ${index}`,
    'statecode@OData.Community.Display.V1.FormattedValue': 'Active',
    statecode: 0,
    'createdon@OData.Community.Display.V1.FormattedValue': '1/2/2026 3:04 PM',
    createdon: '2026-01-02T15:04:05Z',
    'revenue@OData.Community.Display.V1.FormattedValue': '€1,200.00',
    revenue: 1200,
    '_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname': 'systemuser',
    '_ownerid_value@OData.Community.Display.V1.FormattedValue': 'Ada',
    _ownerid_value: '00000000-0000-0000-0000-000000000002',
    websiteurl: index % 10 === 0 ? `https://contoso.crm4.dynamics.com/main.aspx?id=${index}` : null,
  }
}

function fullRow(): object {
  const url = 'https://contoso.crm4.dynamics.com/api/data/v9.2/accounts(00000000-0000-0000-0000-000000000001)'
  const links = Array.from({ length: 20 }, (_, index) => [
    [`navigation${index}@odata.associationLink`, `${url}/navigation${index}/$ref`],
    [`navigation${index}@odata.navigationLink`, `${url}/navigation${index}`],
  ]).flat()
  return { '@odata.id': url, '@odata.editLink': url, ...Object.fromEntries(links) }
}
