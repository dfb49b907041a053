import t from 'tap'

import { requestBatch, responseBatch } from '../../src/odata/batch.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import type { TextTransform } from '../../src/odata/text-transform.ts'
import { urlMap } from '../../src/odata/url-map.ts'

const map = urlMap(targetAddress('https://org.crm4.dynamics.com/api/data/v9.2'), {
  base: 'http://gw:8080',
  form: 'short',
})
const PIECE = 16_384

/** How many characters are searched by `indexOf` and `includes` while `text` passes in pieces. */
function searched(transform: TextTransform, text: string): number {
  const { indexOf, includes } = String.prototype
  let steps = 0
  function counted(this: string, search: string, from = 0): number {
    const at = indexOf.call(this, search, from)
    steps += (at === -1 ? this.length : at) - Math.min(from, this.length) + 1
    return at
  }
  Object.assign(String.prototype, {
    indexOf: counted,
    includes(this: string, search: string, from = 0) {
      return counted.call(this, search, from) !== -1
    },
  })
  try {
    for (let at = 0; at < text.length; at += PIECE) transform.push(text.slice(at, at + PIECE))
  } finally {
    Object.assign(String.prototype, { indexOf, includes })
  }
  return steps
}

const inward = (): TextTransform => requestBatch(map, 'multipart/mixed; boundary=b', { onPart() {} })
const outward = (): TextTransform => responseBatch(map, 'multipart/mixed; boundary=b')!
const request = (delimiter: string): string =>
  `${delimiter}\nContent-Type: application/http\n\nPATCH a HTTP/1.1\nContent-Type: text/plain\n\n`
const inChangeSet = `--b\nContent-Type: multipart/mixed; boundary=c\n\n${request('--c')}`

for (const [name, transform, before, unit] of [
  ['lines that hold the dashes of the batch in a change set', inward, inChangeSet, 'x--b\n'],
  ['lines that hold the dashes of the change set', inward, inChangeSet, 'x--c\n'],
  [
    'lines that look like a delimiter in an answer',
    outward,
    request('--b').replace('PATCH a', 'HTTP/1.1 200'),
    '\n--bx',
  ],
  ['parts', inward, inChangeSet, request('--c')],
] as const) {
  t.test(`each character is scanned a constant number of times: ${name}`, async (t) => {
    const text = before + unit.repeat(Math.min(900, Math.floor(200_000 / unit.length)) * (unit.length < 10 ? 40 : 1))
    const steps = searched(transform(), text)
    t.ok(steps < 8 * text.length, `${steps} steps for ${text.length} characters`)
  })
}

t.test('a delimiter with too many blanks is not a delimiter', async (t) => {
  t.throws(() => inward().push(`${request('--b')}\n--b${' '.repeat(2000)}`), { name: 'MalformedBatch' })
  const part = '--b\nContent-Type: text/plain\n\n'
  t.match(outward().push(`${part}\n--b${' '.repeat(2000)}x`), /--b {1900}/)
})

t.test('a head has at most 100 header lines, including folded ones', async (t) => {
  const head = (lines: string, count: number): string => `${request('--b').slice(0, -1)}${lines.repeat(count)}\n`
  t.doesNotThrow(() => inward().push(head('a: b\n', 99)))
  t.throws(() => inward().push(head('a: b\n', 100)), { name: 'MalformedBatch', message: /100 header lines/ })
  t.throws(() => inward().push(head(' b\n', 100)), { name: 'MalformedBatch', message: /100 header lines/ })
})

t.test('at most 1,000 change sets are accepted', async (t) => {
  const empty = '--b\nContent-Type: multipart/mixed; boundary=c\n\n'
  t.doesNotThrow(() => inward().push(empty.repeat(1000)))
  t.throws(() => inward().push(empty.repeat(1001)), { name: 'RefusedPart', message: /1,000 change sets/ })
})

t.test('a reference stands for a path of at most 2,048 characters', async (t) => {
  const part = (id: number, url: string): string =>
    `--c\nContent-Type: application/http\nContent-ID: ${id}\n\nPATCH ${url} HTTP/1.1\n\n`
  const set = '--b\nContent-Type: multipart/mixed; boundary=c\n\n'
  t.doesNotThrow(() => inward().push(set + part(1, `a('${'x'.repeat(2000)}')`) + part(2, '$1') + part(3, '$2')))
  t.throws(() => inward().push(set + part(1, `a('${'x'.repeat(3000)}')`) + part(2, '$1')), {
    name: 'RefusedPart',
    message: /2,048/,
  })
  const growing = Array.from({ length: 20 }, (_, index) =>
    part(index, `${index === 0 ? '' : `$${index - 1}/`}${'a'.repeat(200)}`),
  )
  t.throws(() => inward().push(set + growing.join('') + part(21, 'x')), { name: 'RefusedPart', message: /2,048/ })
  t.throws(() => inward().push(set + part(1, 'x'.repeat(65_537))), { name: 'RefusedPart', message: /65,536/ })
})

t.test('the number of members and headers in a JSON batch is limited', async (t) => {
  const batch = (text: string): void => {
    const transform = requestBatch(map, 'application/json', { onPart() {} })
    transform.push(text)
    transform.end()
  }
  const members = (count: number): string => Array.from({ length: count }, (_, index) => `"a${index}":""`).join()
  t.doesNotThrow(() =>
    batch(`{"requests":[{"method":"GET","url":"a","headers":{${members(100)}},"body":{${members(500)}}}]}`),
  )
  for (const text of [
    `{"requests":[{"method":"GET","url":"a","headers":{${members(101)}}}]}`,
    `{"requests":[{"method":"GET","url":"a",${members(99)}}]}`,
    `{"requests":[],${members(100)}}`,
  ])
    t.throws(() => batch(text), { name: 'RefusedPart', message: /more than 100/ })
})

t.test('the parts of a batch must be UTF-8', async (t) => {
  for (const type of ['application/http; charset=utf-7', 'multipart/mixed; boundary=c; charset=ibm037']) {
    t.throws(() => inward().push(`--b\nContent-Type: ${type}\n\n`), { name: 'MalformedBatch', message: /UTF-8/ }, type)
  }
  t.doesNotThrow(() => inward().push('--b\nContent-Type: application/http; charset=utf-8\n\n'))
})
