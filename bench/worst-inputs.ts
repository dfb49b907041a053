/**
 * CPU for each MB of the worst inputs that are known, by part of the gateway: `node dist/bench/worst-inputs.js`.
 *
 * Each input is measured at two lengths. Where the cost for each MB grows with the length, more than twice from the
 * shorter to the longer, the line ends in `GROWS`: the cost is not linear.
 */
import { Buffer } from 'node:buffer'

import { parseRule } from '../src/config/rule.ts'
import { headerNames } from '../src/door/header-names.ts'
import { readHead } from '../src/door/read-head.ts'
import { requestBatch, responseBatch } from '../src/odata/batch.ts'
import { fetchedEntities } from '../src/odata/fetch-xml.ts'
import { navigationOf } from '../src/odata/navigation.ts'
import { requestLinks } from '../src/odata/request-links.ts'
import { targetFault } from '../src/odata/request-target.ts'
import { responseLinks } from '../src/odata/response-links.ts'
import { targetAddress } from '../src/odata/target-address.ts'
import type { TextTransform } from '../src/odata/text-transform.ts'
import { urlMap } from '../src/odata/url-map.ts'
import { requestHeaders } from '../src/proxy/request-headers.ts'
import { denialReason } from '../src/rules/evaluate.ts'
import { userEmail } from '../src/users/user-email.ts'

const root = 'https://contoso.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), {
  base: 'http://localhost:8080',
  otherBases: ['http://127.0.0.1:8080', 'https://localhost:8080'],
  form: 'short',
})
const rules = ['deny GET annotations', 'allow GET accounts/*', 'no-metadata-writes', 'deny DELETE contacts'].map(
  parseRule,
)
const outward = requestHeaders(['x-user-email', 'x-user-id'])
const nameOf = headerNames(['x-user-email'])

/** One measurement: `input` makes a text of about the given length, and `read` reads it. */
interface Worst {
  readonly name: string
  /** Characters of the longer of the two lengths. */
  readonly most: number
  readonly input: (length: number) => string
  readonly read: (input: string) => unknown
}

const MB = 1_000_000
/** The longest URL that the gateway accepts, and the longest head that Node accepts. */
const ADDRESS = 32_000
const HEAD = 64_000

const inputs: readonly Worst[] = [
  ...multipart('in a body', (length) => [
    ["lines that hold the batch's dashes, in a change set", inChangeSet(filled('x--b\n', length))],
    ['line feeds', inBody(filled('\n', length))],
    ['dashes', inBody(filled('-', length))],
    ['half of a delimiter', inBody(filled('\n--', length))],
    ['blanks after what begins like a delimiter', `${inBody('')}\n--b${filled(' ', length)}`],
    ['links', inBody(filled('{"@bind":["h",', length))],
    ['links that are nearly ours', inBody(filled('"@id":"http://localhost:808",', length))],
  ]),
  ...multipart('around parts', (length) => [
    ['line feeds before the first part', filled('\n', length)],
    ['lines before the first part', filled('x\n', length)],
    ['change sets', filled('--b\nContent-Type:multipart/mixed;boundary=c\n\n', length)],
    [
      'line feeds before the request',
      `--b\nContent-Type: application/http\n\n${filled('\n', Math.min(length, 100_000))}`,
    ],
    ['folded headers', repeated(part(`GET a HTTP/1.1\na: b${filled('\n a', 100_000)}`), length)],
    ['short headers', repeated(part(`GET a HTTP/1.1${filled('\na:', 100_000)}`), length)],
    [
      'headers of the part',
      repeated(`--b\nContent-Type: application/http${filled('\na:', 100_000)}\n\nGET a HTTP/1.1\n\n`, length),
    ],
    ['long URLs', repeated(part(`GET a(${filled('%27%27', 60_000)}) HTTP/1.1\n`), length)],
    ['URLs of many segments', repeated(part(`GET ${filled('a/', 60_000)} HTTP/1.1\n`), length)],
    ['URLs with many $id', repeated(part(`GET a?${filled('$id=&', 60_000)} HTTP/1.1\n`), length)],
    ['references to a long path', references(length)],
    ['references that grow', growing(length)],
    ['boundaries that are none', `--b\nContent-Type: multipart/mixed; boundary${' '.repeat(900)}x\n\n`],
  ]),
  ...json((length) => [
    ['[', filled('[', length)],
    ['nested arrays', `${filled('[', length / 2)}${filled(']', length / 2)}`],
    ['nested objects', filled('{"a":', length)],
    ['empty objects as requests', `{"requests":[${filled('{},', length)}`],
    ['numbers as requests', `{"requests":[${filled('0,', length)}0]}`],
    ['numbers in a body', single(`[${filled('0,', length)}0]`)],
    ['empty objects in a body', single(`[${filled('{},', length)}0]`)],
    ['objects in a body', single(`[${filled('{"a":{}},', length)}0]`)],
    ['white space', single(filled(' ', length))],
    ['a string', single(`"${filled('a', length)}"`)],
    ['escapes', single(`"${filled('\\\\', length)}"`)],
    ['escaped quotes', single(`"${filled('\\"', length)}"`)],
    ['members of the batch', `{"requests":[],${filled((index) => `"a${index}":0,`, length)}"b":0}`],
    [
      'members of a request',
      `{"requests":[{"method":"GET","url":"a",${filled((index) => `"a${index}":0,`, length)}"b":0}]}`,
    ],
    [
      'headers',
      `{"requests":[{"method":"GET","url":"a","headers":{${filled((index) => `"a${index}":"",`, length)}"b":""}}]}`,
    ],
    ['a long URL', `{"requests":[{"method":"GET","url":"${filled('a/', length)}"}]}`],
    ['links', single(`[${filled('{"@bind":["h"]},', length)}0]`)],
    ['links in one array', single(`{"@bind":[${filled('"h",', length)}"h"]}`)],
    ['references that grow', `{"requests":[${jsonGrowing(length)}]}`],
    ['references to a long path', `{"requests":[${jsonReferences(length)}]}`],
  ]),
  ...links('links inward', () => requestLinks(map), [
    ['@', '@'],
    ['half names', '@odata.bin'],
    ['names', '"@id"'],
    ['arrays', '"@bind":["",'],
    ['elements', '"h",'],
    ['nearly ours', '"@id":"http://localhost:808",'],
    ['ours', '"@id":"http://localhost:8080/a",'],
    ['escaped slashes', '"@id":"http:\\/\\/localhost:8080\\/a",'],
    ['capitals', '"@id":"HTTP://LOCALHOST:8080/a",'],
    ['backslashes', '\\'],
  ]),
  ...links('links outward', () => responseLinks(map), [
    ['marks', '//c'],
    ['links', `"@odata.id":"${root}/a",`],
    ['nearly links', '"@odata.id":"https://c'],
    ['escaped slashes', '"@odata.id":"https:\\/\\/c'],
    ['blanks', `:${' '.repeat(250)}"https://c`],
    ['slashes', '\\/\\/'],
    ['quotes', '"'],
    ['targets', '"target":"https://c",'],
    ['targets after escapes', `${'\\'.repeat(500)}","target":"https://c",`],
  ]),
  ...links('JSON batch outward', () => responseBatch(map, 'application/json')!, [
    ['[', '['],
    ['quotes', '"'],
    ['backslashes', '\\'],
    ['names', '"location":'],
    ['commas', ','],
    ['headers', '{"responses":[{"headers":{"location":"https://c"'],
  ]),
  ...links(
    'multipart outward',
    () => responseBatch(map, 'multipart/mixed; boundary=b')!,
    [
      ['line feeds', '\n'],
      ['false delimiters', '\n--bx'],
      ['dashes', 'x--b\n'],
      ['half delimiters', '\n--'],
    ].map(([name, unit]) => [name!, unit!, '--b\nContent-Type: text/plain\n\n']),
  ),
  ...of(
    'a query under rules',
    ADDRESS,
    (query) => denialReason({ method: 'GET', resourcePath: '/accounts', query }, rules),
    [
      ['expanded', '$expand=', 'a,'],
      ['nested', '$expand=', 'a($expand='],
      ['nested lists', '$expand=', 'a($expand=b,'],
      ['options', '$expand=a(', 'b;'],
      ['quotes', '$filter=', "'"],
      ['paths', '$filter=', 'a/'],
      ['closing', '$expand=a(', ') '],
      ['blanks', '$expand=a(', ' '],
      ['ampersands', '', '&'],
      ['percent', '', '%20'],
      ['expand again', '', '&$expand=a'],
      ['join', '$apply=', 'join '],
    ].map(([name, before, unit]) => [name!, (length) => before! + filled(unit!, length)]),
  ),
  ...of(
    'FetchXML',
    MB,
    fetchedEntities,
    [
      ['tags', '<a/>'],
      ['open tags', '<a '],
      ['attributes', ' a="b"'],
      ['names', ' name="b"'],
      ['blanks', ' '],
      ['quotes', "'"],
      ['entities', '<entity name="a"/>'],
      ['letters', 'a'],
      ['equals', 'name ='],
    ].flatMap(([name, unit]) =>
      ['', '<a', '<entity name="'].map((before) => [
        `${name!} after "${before}"`,
        (length: number) => before + filled(unit!, length),
      ]),
    ),
  ),
  ...of('navigation', MB, navigationOf, [
    ['expanded', (length) => `$expand=${filled('a,', length)}`],
    ['paths', (length) => `$filter=${filled('a/', length)}`],
    ['a long name', (length) => `$filter=${filled('a', length)}/b`],
    ['nested', (length) => `$expand=${filled('a($expand=', length)}`],
    ['parentheses', (length) => `$expand=${filled('a(', length)}`],
  ]),
  ...of(
    'an address at the door',
    ADDRESS,
    (path) => [targetFault(path), denialReason({ method: 'GET', resourcePath: path, query: '' }, rules)],
    [
      ['segments', '/a'],
      ['dots', '/.a'],
      ['keys', '/a(b)'],
      ['quoted', "/a('b')"],
      ['escapes', '/%41'],
      ['parentheses', '('],
      ['quotes', "'"],
      ['percent', '%25'],
      ['semicolons', ';'],
      ['encoded quotes', '(%27%27)'],
      ['letters', 'importa'],
    ].map(([name, unit]) => [name!, (length) => `/accounts${filled(unit!, length)}`]),
  ),
  ...headers([
    ['Prefer', ',wait'],
    ['Prefer', ' wait ='],
    ['Prefer', ' wait= "0'],
    ['Prefer', 'callback '],
    ['Prefer', ' '],
    ['Prefer', 'return =   '],
    ['Accept-Encoding', ';q=0'],
    ['Accept-Encoding', ','],
    ['Accept-Encoding', ';'],
    ['Accept-Encoding', ' '],
    ['Accept-Encoding', '; '],
    ['Accept-Encoding', '0'],
    ['X-User-Email', 'a@'],
    ['X-User-Email', ' '],
    ['X-User-Email', '\u00c3\u00a9'],
    ['X-User-Email', 'a'],
    ['Host', '1'],
    ['Host', '1.'],
    ['Host', 'a-.'],
    ['Host', ':1'],
    ['MSCRMCallerID', '0'],
    ['a_', '_'],
  ]),
  ...headers(
    [' ', '"', ' "'].map((unit) => ['Prefer', unit] as const),
    'return=',
  ),
  ...headers([
    ['Content-Type', '"\\"'],
    ['Content-Type', '\\,"'],
    ['Connection', ', '],
    ['Connection', ',content'],
  ]),
  {
    name: 'head: names that Connection lists',
    most: HEAD,
    input: (length) => filled((index) => `a${index},`, length),
    read: (value) =>
      outward(['Connection', value, ...Array.from({ length: 98 }, () => ['Connection', 'x']).flat()], map),
  },
]

function multipart(
  where: string,
  bodies: (length: number) => readonly (readonly [string, string])[],
): readonly Worst[] {
  return bodies(0).map(([name], index) => ({
    name: `multipart, ${where}: ${name}`,
    most: 4 * MB,
    input: (length) => bodies(length)[index]![1],
    read: through(() => requestBatch(map, 'multipart/mixed; boundary=b', { onPart: judged })),
  }))
}

function json(bodies: (length: number) => readonly (readonly [string, string])[]): readonly Worst[] {
  return bodies(0).map(([name], index) => ({
    name: `JSON batch: ${name}`,
    most: 4 * MB,
    input: (length) => bodies(length)[index]![1],
    read: through(() => requestBatch(map, 'application/json', { onPart: judged })),
  }))
}

function judged({ method, resourcePath, query }: { method: string; resourcePath: string; query: string }): void {
  targetFault(resourcePath)
  denialReason({ method, resourcePath, query }, rules)
}

function links(where: string, transform: () => TextTransform, units: readonly (readonly string[])[]): readonly Worst[] {
  return units.map(([name, unit, before = '']) => ({
    name: `${where}: ${name!}`,
    most: 4 * MB,
    input: (length) => before + filled(unit!, length),
    read: through(transform),
  }))
}

function headers(lines: readonly (readonly [string, string])[], before = ''): readonly Worst[] {
  return lines.map(([name, unit]) => ({
    name: `head: ${name} of ${before}${JSON.stringify(unit)}`,
    most: HEAD,
    input: (length) => before + filled(unit, length),
    read(value) {
      readHead([name, value], undefined, nameOf)
      outward([name, value], map)
      return userEmail([name, value], 'x-user-email')
    },
  }))
}

function of(
  where: string,
  most: number,
  read: (input: string) => unknown,
  texts: readonly (readonly [string, ((length: number) => string) | string])[],
): readonly Worst[] {
  return texts.map(([name, text]) => ({
    name: `${where}: ${name}`,
    most,
    read,
    input: (length) => (typeof text === 'string' ? filled(text, length) : text(length)),
  }))
}

/** Chunks of 64 KiB, as from a socket. A refused input is read up to the refusal. */
function through(transform: () => TextTransform): (input: string) => void {
  return (input) => {
    const one = transform()
    for (let at = 0; at < input.length; at += 65_536) one.push(input.slice(at, at + 65_536))
    one.end()
  }
}

function filled(unit: string | ((index: number) => string), length: number): string {
  if (typeof unit === 'string') return unit.repeat(Math.floor(length / unit.length))
  let text = ''
  for (let index = 0; text.length < length; index++) text += unit(index)
  return text
}

function repeated(text: string, length: number): string {
  return text.repeat(Math.max(1, Math.round(length / text.length)))
}

function part(request: string): string {
  return `--b\nContent-Type: application/http\n\n${request}\n\n`
}

function inBody(body: string): string {
  return `${part('PATCH a HTTP/1.1')}${body}`
}

function inChangeSet(body: string): string {
  return (
    '--b\nContent-Type: multipart/mixed; boundary=changeset\n\n--changeset\nContent-Type: application/http\n\n' +
    `PATCH a HTTP/1.1\nContent-Type: text/plain\n\n${body}`
  )
}

function single(body: string): string {
  return `{"requests":[{"method":"POST","url":"a","body":${body}}]}`
}

function references(length: number): string {
  const first = `--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\nContent-ID: 1\n\nPATCH a(${'a'.repeat(60_000)}) HTTP/1.1\n\n`
  const next = '--c\nContent-Type: application/http\n\nPATCH $1 HTTP/1.1\n\n'
  return first + next.repeat(Math.min(999, Math.floor(length / next.length)))
}

function growing(length: number): string {
  return (
    '--b\nContent-Type: multipart/mixed; boundary=c\n\n' +
    Array.from(
      { length: 1000 },
      (_, index) =>
        `--c\nContent-Type: application/http\nContent-ID: ${index}\n\n` +
        `PATCH ${index === 0 ? 'a' : `$${index - 1}`}/${'a'.repeat(Math.floor(length / 1000))} HTTP/1.1\n\n`,
    ).join('')
  )
}

function jsonGrowing(length: number): string {
  return Array.from(
    { length: 1000 },
    (_, index) =>
      `{"id":"${index}","method":"PATCH","url":"${index === 0 ? 'a' : `$${index - 1}`}/${'a'.repeat(Math.floor(length / 1000))}"}`,
  ).join()
}

function jsonReferences(length: number): string {
  return Array.from(
    { length: 1000 },
    (_, index) =>
      `{"id":"${index}","method":"PATCH","url":"${index === 0 ? `a(${'a'.repeat(Math.floor(length / 4))})` : '$0'}"}`,
  ).join()
}

/** Milliseconds of CPU for each MB: the best of several runs, because the machine is shared. */
function cost({ input, read }: Worst, length: number): number {
  const text = Buffer.from(input(length), 'latin1').toString('latin1')
  let best = Infinity
  let timings = 0
  for (let round = 0; round < 5 && timings < 1000; round++) {
    const before = process.cpuUsage()
    const calls = Math.max(1, Math.floor(200_000 / text.length))
    for (let call = 0; call < calls; call++) {
      try {
        read(text)
      } catch {
        // The input is refused. The time until then counts.
      }
    }
    const { user, system } = process.cpuUsage(before)
    timings += (user + system) / 1000
    best = Math.min(best, (user + system) / 1000 / calls)
  }
  return best / (length / MB)
}

const only = process.argv[2]
console.log('CPU in ms for each MB: of a quarter of the length, of the length')
for (const worst of inputs) {
  if (only !== undefined && !worst.name.includes(only)) continue
  const short = cost(worst, worst.most / 4)
  const long = cost(worst, worst.most)
  const grows = long > 2 * short && long > 5 ? '  GROWS' : ''
  console.log(`${worst.name.padEnd(72)} ${short.toFixed(1).padStart(9)} ${long.toFixed(1).padStart(9)}${grows}`)
}
