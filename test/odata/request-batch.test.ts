import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { requestBatch, type BatchOperation } from '../../src/odata/batch.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { staysHere } from '../../src/proxy/request-headers.ts'
import { byteByByte, inChunks, cutPositions, shares } from '../support/chunkings.ts'

const org = 'https://org.crm4.dynamics.com'
const root = `${org}/api/data/v9.2`
const map = urlMap(targetAddress(root), {
  base: 'http://gw:8080/sales',
  otherBases: ['http://localhost:8080'],
  form: 'short',
})

/** The rewritten batch, with the operations that were authorized. */
function turned(
  text: string | Buffer,
  contentType = 'multipart/mixed; boundary=b',
): { text: string; operations: BatchOperation[] } {
  const operations: BatchOperation[] = []
  const transform = requestBatch(map, contentType, {
    onPart: (operation) => operations.push(operation),
    userHeaders: ['x-user-email', 'x-user-id'],
    staysHere,
  })
  return { text: inChunks(transform, Buffer.from(text), []), operations }
}

/** A batch of one request. */
function single(request: string): string {
  return lines('--b', 'Content-Type: application/http', 'Content-Transfer-Encoding: binary', '', request, '--b--', '')
}

function lines(...all: string[]): string {
  return all.join('\r\n')
}

/** A request line after rewriting. */
function requestLine(line: string): string {
  return turned(single(`${line}\r\n\r\n`)).text.split('\r\n')[4] ?? ''
}

const changeSet = lines(
  '--b',
  'Content-Type: multipart/mixed; boundary="cs 1"',
  '',
  '--cs 1',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  'Content-ID: 1',
  '',
  'POST /api/data/v9.2/accounts HTTP/1.1',
  'Host: gw:8080',
  'Content-Type: application/json; type=entry',
  '',
  '{"name":"A","primarycontactid@odata.bind":"http://localhost:8080/contacts(1)","n":9007199254740993}',
  '--cs 1',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  'Content-ID: 2',
  '',
  'PATCH $1 HTTP/1.1',
  'Content-Type: application/json',
  '',
  '{"a@odata.bind":"$1"}',
  '--cs 1',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  'Content-ID: 3',
  '',
  'PUT $1/primarycontactid/$ref HTTP/1.1',
  'Content-Type: application/json',
  '',
  '{"@odata.id":"http://gw:8080/sales/contacts(1)"}',
  '--cs 1--',
  '',
  '--b',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  'GET http://gw:8080/sales/accounts?$select=name HTTP/1.1',
  'Accept: application/json',
  '',
  '',
  '--b--',
  '',
)

const rewrittenChangeSet = changeSet
  .replace('Host: gw:8080', 'Host: org.crm4.dynamics.com')
  .replace('http://localhost:8080/contacts', `${root}/contacts`)
  .replace('http://gw:8080/sales/contacts', `${root}/contacts`)
  .replace('http://gw:8080/sales/accounts', `${root}/accounts`)

t.test('URLs, hosts and links of a batch are rewritten to the target, and nothing else changes', async (t) => {
  const { text, operations } = turned(changeSet)

  t.equal(text, rewrittenChangeSet)
  t.same(
    operations.map(({ part, method, resourcePath, query }) => [part, method, resourcePath, query]),
    [
      [1, 'POST', '/accounts', ''],
      [2, 'PATCH', '/accounts($1)', ''],
      [3, 'PUT', '/accounts($1)/primarycontactid/$ref', ''],
      [4, 'GET', '/accounts', '$select=name'],
    ],
  )
  t.match(operations[0]?.headers, [
    { name: 'Content-Type' },
    {},
    { name: 'Content-ID', value: '1' },
    { name: 'Host', value: 'gw:8080' },
    {},
  ])
})

t.test('line feeds alone, preamble, epilogue and blanks after a delimiter make no difference', async (t) => {
  t.equal(turned(changeSet.replaceAll('\r\n', '\n')).text, rewrittenChangeSet)
  t.equal(turned(`preamble\r\n--x\n\n${changeSet}epilogue\r\n--b\r\n`).text, rewrittenChangeSet)
  t.equal(
    turned(changeSet.replace('--b\r\n', '--b \t\r\n').replace('--cs 1--\r\n', '--cs 1-- \r\nepilogue\r\n')).text,
    rewrittenChangeSet,
  )
  t.equal(turned(single('GET a HTTP/1.1\r\n')).text, single('GET a HTTP/1.1\r\n\r\n'), 'a blank line and no body')
  t.equal(turned(changeSet.slice(0, -2)).text, rewrittenChangeSet, 'no line end after the last delimiter')
})

t.test('the form that DynamicsWebApi writes is normalised', async (t) => {
  const body = `\n--dwa_batch_1\nContent-Type: multipart/mixed;boundary=changeset_1\n\n--changeset_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary
Content-ID: 100001\n\nPATCH http://localhost:8080/api/data/v9.2/accounts(1) HTTP/1.1\nContent-Type: application/json\nIf-Match: *\n\n{"name":"A"}\n--changeset_1--
\n--dwa_batch_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nGET http://localhost:8080/api/data/v9.2/accounts HTTP/1.1\nAccept: application/json
--dwa_batch_1--`
  t.equal(
    turned(body, 'multipart/mixed;boundary=dwa_batch_1').text,
    lines(
      '--dwa_batch_1',
      'Content-Type: multipart/mixed;boundary=changeset_1',
      '',
      '--changeset_1',
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      'Content-ID: 100001',
      '',
      `PATCH ${root}/accounts(1) HTTP/1.1`,
      'Content-Type: application/json',
      'If-Match: *',
      '',
      '{"name":"A"}',
      '--changeset_1--',
      '',
      '--dwa_batch_1',
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      `GET ${root}/accounts HTTP/1.1`,
      'Accept: application/json',
      '',
      '',
      '--dwa_batch_1--',
      '',
    ),
  )
})

t.test('each way to write a URL leads to the same resource', async (t) => {
  for (const [url, expected] of [
    ['http://gw:8080/sales/accounts', `${root}/accounts`],
    ['HTTP://GW:8080/sales/api/data/v9.1/accounts', `${org}/api/data/v9.1/accounts`],
    ['http://localhost:8080', root],
    [`${root}/accounts`, `${root}/accounts`],
    [
      'https://org.api.crm4.dynamics.com/api/data/v9.2/accounts',
      'https://org.api.crm4.dynamics.com/api/data/v9.2/accounts',
    ],
    ['/accounts', '/api/data/v9.2/accounts'],
    ['/sales/accounts', '/api/data/v9.2/accounts'],
    ['/sales', '/api/data/v9.2'],
    ['/salesorders', '/api/data/v9.2/salesorders'],
    ['/sales/api/data/v9.0/accounts', '/api/data/v9.0/accounts'],
    ["/api/data/v9.2/accounts?$filter=name eq 'a b'", "/api/data/v9.2/accounts?$filter=name eq 'a b'"],
    ['accounts', 'accounts'],
    ["accounts(name='A%2FB')", "accounts(name='A%2FB')"],
    ['accounts?x=%2522+', 'accounts?x=%2522+'],
    [
      '/accounts(1)/contacts/$ref?$id=http://gw:8080/sales/contacts(1)',
      `/api/data/v9.2/accounts(1)/contacts/$ref?$id=${root}/contacts(1)`,
    ],
    [
      'accounts(1)/contacts/$ref?$id=http%3A%2F%2Flocalhost%3A8080%2Fcontacts(1)',
      `accounts(1)/contacts/$ref?$id=${encodeURIComponent(root)}%2Fcontacts(1)`,
    ],
    ['$1', '$1'],
    ['?x', '?x'],
  ] as const)
    t.equal(requestLine(`GET ${url} HTTP/1.1`), `GET ${expected} HTTP/1.1`, url)
  t.equal(requestLine(`GET  accounts  HTTP/1.1 `), 'GET accounts HTTP/1.1')
})

t.test('services other than Dynamics get URLs relative to their API root', async (t) => {
  const other = urlMap(targetAddress('http://localhost:4004/odata/v4/catalog'), {
    base: 'http://gw:8080',
    form: 'short',
  })
  const line = (url: string): string => {
    const text = inChunks(
      requestBatch(other, 'multipart/mixed; boundary=b', { onPart() {} }),
      Buffer.from(single(`GET ${url} HTTP/1.1`)),
      [],
    )
    return text.split('\r\n')[4] ?? ''
  }
  for (const [url, expected] of [
    ['Books?$top=1', 'Books?$top=1'],
    ['/Books', 'Books'],
    ['http://gw:8080/Books(1)/author', 'Books(1)/author'],
    ['/odata/v4/catalog/Books', 'Books'],
    ['http://localhost:4004/odata/v4/catalog/Books', 'Books'],
    ['/', '/odata/v4/catalog/'],
    ['$1', '$1'],
  ] as const)
    t.equal(line(url), `GET ${expected} HTTP/1.1`, url)
})

t.test(
  'a Content-ID of several change sets may be referenced within each, and elsewhere only if they agree',
  async (t) => {
    const request = (set: string, id: string, line: string): string =>
      lines(
        `--${set}`,
        'Content-Type: application/http',
        ...(id === '' ? [] : [`Content-ID: ${id}`]),
        '',
        `${line} HTTP/1.1`,
        'Content-Type: application/json',
        '',
        '{}',
        '',
      )
    const set = (name: string, entitySet: string): string =>
      lines(
        '--b',
        `Content-Type: multipart/mixed; boundary=${name}`,
        '',
        request(name, '1', `POST ${entitySet}`) + request(name, '2', 'PUT $1/name') + `--${name}--`,
        '',
        '',
      )
    const batch = (second: string): string =>
      `${set('one', 'annotations')}${set('two', second)}${request('b', '', 'PATCH $1')}--b--\r\n`

    t.same(
      turned(batch('annotations')).operations.map(({ resourcePath }) => resourcePath),
      ['/annotations', '/annotations($1)/name', '/annotations', '/annotations($1)/name', '/annotations($1)'],
    )
    t.throws(() => turned(batch('accounts')), {
      name: 'RefusedPart',
      message: /^Part 5 .* several change sets have: \$1/,
    })
  },
)

t.test('a URL to another host, or an ambiguous one, is refused', async (t) => {
  for (const url of [
    'https://evil.example/accounts',
    'http://gw:8080.evil/accounts',
    'http://gw:8080@evil/',
    '//evil/accounts',
    '\\\\evil',
    '/\\evil',
    'https:evil',
    'ftp://gw:8080/sales',
    `${org}/api/search/v2.0/query`,
    `${org}/XRMServices/2011/Organization.svc`,
    org,
    'http://gw:8080/sales/../x',
    '/api/data/v9.2/../../x',
    '../x',
    '%2e%2e/x',
    'a/./b',
    '/a%2f..%2fb',
    'a\\b',
    'a%5cb',
    'a//b',
    'a#b',
    'a?b#c',
    'accounts(1',
    "accounts('x",
    'a\u0001b',
    'a%00',
    '$batch',
    '/api/data/v9.2/$batch',
    '%24batch',
    '$BATCH?x',
    'http://localhost:8080/$batch',
  ]) {
    t.throws(() => requestLine(`GET ${url} HTTP/1.1`), { name: 'RefusedPart', message: /^Part 1 of the batch/ }, url)
  }
})

t.test('headers that name a user, override the method or hide the body are refused', async (t) => {
  const heads = [
    'CallerObjectId: x',
    'MSCRMCallerID: x',
    'mscrmcallerobjectid: x',
    'MSCRM_CallerID: x',
    'MSCRMCallerID : x',
    'caller-object-id:x',
    'X-HTTP-Method: DELETE',
    'X-HTTP-Method-Override: DELETE',
    'X_Method_Override: x',
    'Transfer-Encoding: chunked',
    'Content-Transfer-Encoding: base64',
    'MSCRMCallerID:\r\n x',
    'Accept: x\r\nCALLEROBJECTID: x',
  ]
  for (const head of heads) {
    t.throws(
      () => turned(single(`GET accounts HTTP/1.1\r\n${head}\r\n`)),
      { name: 'RefusedPart', message: /^Part 1 / },
      head,
    )
    t.throws(
      () => turned(single(`GET accounts HTTP/1.1\r\n`).replace('Content-Type', `${head}\r\nContent-Type`)),
      { name: 'RefusedPart', message: /^Part 1 / },
      `part: ${head}`,
    )
  }
})

t.test('the user of a part is named on the batch', async (t) => {
  for (const name of [
    'X-User-Email',
    'x-user-email',
    'X_User_Email',
    'x-user_email',
    'X.User.Email',
    'XUserEmail',
    'x-user-email ',
  ]) {
    const head = `${name}: adele.vance@contoso.com`
    const refused = {
      name: 'RefusedPart',
      message: `Part 1 of the batch names its user by the header ${name.trim()}: put it on the batch, for all parts.`,
    }
    t.throws(() => turned(single(`GET accounts HTTP/1.1\r\n${head}\r\n`)), refused, name)
    t.throws(
      () => turned(single('GET accounts HTTP/1.1\r\n').replace('Content-Type', `${head}\r\nContent-Type`)),
      refused,
      `around the request: ${name}`,
    )
    t.throws(
      () => turned(changeSet.replace('Content-Type: multipart', `${head}\r\nContent-Type: multipart`)),
      refused,
      `on a change set: ${name}`,
    )
    t.throws(
      () =>
        turned(
          JSON.stringify({
            requests: [{ id: '1', method: 'GET', url: 'accounts', headers: { [name.trim()]: 'a@contoso.com' } }],
          }),
          'application/json',
        ),
      refused,
      `in JSON: ${name}`,
    )
  }
  t.throws(
    () => turned(single('GET accounts HTTP/1.1\r\nConnection: x-user-email\r\nX-User-Email: a@b.c\r\n')),
    { name: 'RefusedPart' },
    'not removed by Connection',
  )
})

t.test('a Connection header does not remove headers that a part needs', async (t) => {
  for (const name of ['content-type', 'If-Match', 'content-id', 'prefer']) {
    const request = `PATCH accounts(1) HTTP/1.1\r\nConnection: close, ${name}\r\n${name}: x\r\n`
    t.throws(() => turned(single(request)), { name: 'RefusedPart', message: /Connection/ }, name)
  }
})

t.test(
  'credentials, connection headers and the gateway’s own headers are removed, and others are unchanged',
  async (t) => {
    const dropped = [
      'Authorization: Bearer x',
      'Cookie: x',
      'Proxy-Authorization: x',
      'Connection: x',
      'Content-Length: 3',
      'X_Anything: x',
      'X-Forwarded-For: x',
      'Keep-Alive: x',
      'X-MS-CLIENT-PRINCIPAL-NAME: x',
      'x-authorization: x',
      'X: nominated',
    ]
    const kept = [
      'If-Match: W/"1"',
      'Prefer: odata.include-annotations="*"',
      'MSCRM.SuppressDuplicateDetection: false',
      'x-ms-file-name: \u00c3\u00a0',
    ]
    const { text } = turned(
      Buffer.from(
        single(
          lines(
            'PATCH accounts(1)/name HTTP/1.1',
            ...dropped,
            ...kept,
            'content-TYPE:  text/plain ',
            'Folded: a',
            '\t b',
            '',
            'abc',
          ),
        ),
        'latin1',
      ),
    )

    t.equal(
      text,
      Buffer.from(
        single(lines('PATCH accounts(1)/name HTTP/1.1', ...kept, 'content-TYPE: text/plain', 'Folded: a b', '', 'abc')),
        'latin1',
      ).toString(),
    )
  },
)

t.test('bodies that are not JSON are forwarded byte for byte', async (t) => {
  const data = `\r\n\n--\r\n--c\n--x--\r\n{"@odata.id":"http://localhost:8080/a"} --b\r\n--\r\n\r`
  const request = (type: string): string =>
    single(`PATCH accounts(1)/file HTTP/1.1\r\nContent-Type: ${type}\r\n\r\n${data}`)

  t.equal(turned(request('application/octet-stream')).text, request('application/octet-stream'))
  t.equal(
    turned(request('application/json\r\nContent-Encoding: gzip')).text,
    request('application/json\r\nContent-Encoding: gzip'),
  )
  t.not(turned(request('application/json')).text, request('application/json'))
})

t.test('an unexpected body is refused, because it could be taken for another request', async (t) => {
  for (const method of ['GET', 'HEAD', 'delete']) {
    const request = single(`${method} accounts(1) HTTP/1.1\r\n\r\n\r\nPOST accounts HTTP/1.1\r\n`)
    t.throws(() => turned(request), { name: 'RefusedPart', message: /^Part 1 / }, method)
  }
  t.equal(turned(single('GET a HTTP/1.1\r\n\r\n \n\n\t\r\n')).text, single('GET a HTTP/1.1\r\n\r\n'))
})

t.test('a line that some readers would take for a delimiter is refused', async (t) => {
  for (const line of ['\n--bx', '\r\n--b--x', '\r--b\r\nx', '\r--b--\n', '\n--b-']) {
    t.throws(
      () => turned(single(`POST accounts HTTP/1.1\r\nContent-Type: text/plain\r\n\r\na${line}\r\nb`)),
      { name: 'MalformedBatch' },
      JSON.stringify(line),
    )
  }
})

t.test('a batch that is incomplete or malformed is refused', async (t) => {
  const cut = [changeSet.slice(0, -7), '', 'x', '--b', '--b\r\n', single('').replace('--b--', '')]
  for (const text of cut) t.throws(() => turned(text), { name: 'MalformedBatch' }, text)
  for (const request of [
    '',
    '\r\n',
    'GET',
    'GET accounts',
    'accounts HTTP/1.1',
    'G€T accounts HTTP/1.1',
    'GET accounts HTTP/11',
    'GET accounts HTTP/1.1\r\nnot a header',
    'GET accounts HTTP/1.1\r\n: x',
    'GET accounts HTTP/1.1\r\n folded: x',
    'GET accounts HTTP/1.1\r\nA: b\u0000',
    'GET accounts HTTP/1.1\r\nA: b\rC: d',
    'GET accounts HTTP/1.1\r\nA b: c',
  ]) {
    t.throws(() => turned(single(request)), { name: 'MalformedBatch' }, request)
  }
  for (const type of [
    'multipart/mixed',
    'multipart/mixed; boundary=',
    'multipart/mixed; boundary=b; boundary=c',
    'multipart/mixed; boundary*=b',
    'multipart/mixed; boundary="b',
    'multipart/form-data; boundary=b',
    'text/plain',
    `multipart/mixed; boundary=${'b'.repeat(300)}`,
    `multipart/mixed;${' '.repeat(2000)}boundary=b`,
    'multipart/mixed; x="boundary=c"; boundary=b',
  ]) {
    t.throws(() => turned(single('GET accounts HTTP/1.1'), type), { name: 'MalformedBatch' }, type)
  }
  t.throws(
    () => turned(changeSet.replaceAll('cs 1', 'b')),
    { name: 'MalformedBatch' },
    'a change set with the boundary of the batch',
  )
  t.throws(
    () => turned(single(`GET ${'a'.repeat(140_000)} HTTP/1.1`)),
    { name: 'MalformedBatch' },
    'a head without end',
  )
  t.throws(
    () => turned(single(`GET a HTTP/1.1\r\n${`A: ${'x'.repeat(1000)}\r\n`.repeat(140)}`)),
    { name: 'MalformedBatch' },
    'a head of too many lines',
  )
})

t.test('a malformed delimiter does not hide a part', async (t) => {
  for (const text of [
    `\uFEFF${changeSet}`,
    `x--b\r\n${changeSet}`,
    `--bx\r\n${changeSet}`,
    changeSet.replaceAll('--cs 1', '--cs 2'),
    changeSet.replace(/--cs 1\r\n/g, ' --cs 1\r\n'),
    changeSet.replace('--cs 1--\r\n', '--cs 1--\r\n--b-\r\n'),
    'x\r\n--b--',
  ])
    t.throws(() => turned(text), { name: 'MalformedBatch', message: /delimiter/ }, text.slice(0, 60))
})

t.test('methods that the Web API does not support are refused', async (t) => {
  for (const method of ['TRACE', 'CONNECT', 'OPTIONS', 'MERGE', 'x']) {
    t.throws(() => requestLine(`${method} accounts HTTP/1.1`), { name: 'RefusedPart' }, method)
  }
})

t.test('parts of another kind and deeper nesting are refused', async (t) => {
  t.throws(() => turned(single('GET a HTTP/1.1').replace('application/http', 'text/plain')), { name: 'RefusedPart' })
  t.throws(() => turned(single('GET a HTTP/1.1').replace('Content-Type: application/http\r\n', '')), {
    name: 'RefusedPart',
  })
  t.throws(
    () => turned(changeSet.replace('Content-Type: application/http', 'Content-Type: multipart/mixed; boundary=deeper')),
    { name: 'RefusedPart', message: /change set within/ },
  )
})

t.test('at most 1,000 operations are accepted', async (t) => {
  const part = lines('--b', 'Content-Type: application/http', '', 'GET accounts HTTP/1.1', '', '', '')

  t.equal(turned(`${part.repeat(1000)}--b--`).operations.length, 1000)
  t.throws(() => turned(`${part.repeat(1001)}--b--`), { name: 'RefusedPart', message: /1,000/ })
})

t.test('an ambiguous Content-ID is refused', async (t) => {
  t.throws(() => turned(changeSet.replace('Content-ID: 2', 'Content-ID: 1')), { name: 'RefusedPart' })
  t.throws(() => turned(changeSet.replace('Content-ID: 2', 'Content-ID: metadata')), { name: 'RefusedPart' })
  t.throws(() => turned(changeSet.replace('Content-ID: 2', 'Content-ID: 2/x')), { name: 'RefusedPart' })
  t.throws(() => turned(changeSet.replace('Host: gw:8080', 'Content-ID: 2')), { name: 'RefusedPart' })
  t.doesNotThrow(() => turned(changeSet.replace('Host: gw:8080', 'Content-ID: 1')), 'written twice')
  t.doesNotThrow(
    () => turned(changeSet.replace('Content-ID: 1\r\n', '').replace('Host: gw:8080', 'Content-ID: 1')),
    'in the request',
  )
  t.doesNotThrow(
    () => turned(changeSet.replace(/(--b\r\n[^]*)--b\r\n[^]*/, '$1$1--b--')),
    'used again in the next change set',
  )
})

t.test('a change set that is ended only by the next delimiter of the batch is closed', async (t) => {
  t.equal(turned(changeSet.replace('--cs 1--\r\n\r\n', '')).text, rewrittenChangeSet)
  t.equal(
    turned(lines('--b', 'Content-Type: multipart/mixed; boundary=c', '', '', '--b--')).text,
    lines('--b', 'Content-Type: multipart/mixed; boundary=c', '', '--c--', '', '--b--', ''),
  )
})

t.test('a part is authorized before any of its bytes is forwarded', async (t) => {
  const transform = requestBatch(map, 'multipart/mixed; boundary=b', {
    onPart({ method }) {
      if (method === 'DELETE') throw new Error('not allowed')
    },
  })

  t.equal(
    transform.push(lines('--b', 'Content-Type: application/http', '', 'DELETE accounts(1)')),
    '--b\r\nContent-Type: application/http\r\n\r\n',
  )
  t.throws(() => transform.push(' HTTP/1.1\r\n\r\n'), { message: 'not allowed' })
})

t.test('a part larger than memory streams through', async (t) => {
  const transform = requestBatch(map, 'multipart/mixed; boundary=b', { onPart() {} })
  let out = 0
  const push = (chunk: string): void => {
    out += transform.push(chunk).length
  }
  push(
    lines(
      '--b',
      'Content-Type: application/http',
      '',
      'PATCH accounts(1)/file HTTP/1.1',
      'Content-Type: application/octet-stream',
      '',
      '',
    ),
  )
  const head = out
  const chunk = 'x\r\n-'.repeat(16_384)
  for (let index = 0; index < 160; index++) push(chunk)

  t.ok(out - head > 160 * 65_536 - 10)
})

t.test('chunk borders at any byte do not change the result', async (t) => {
  const text = fc.constantFrom(
    changeSet,
    changeSet.replaceAll('\r\n', '\n'),
    `\r\nx\n${changeSet}\n\n`,
    single('GET a HTTP/1.1'),
    single('PATCH a HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n\n-- b\r\n--\n --b\r\n\r\n-\r\n'),
  )
  const transform = (): ReturnType<typeof requestBatch> =>
    requestBatch(map, 'multipart/mixed; boundary="b"', { onPart() {} })

  t.doesNotThrow(() =>
    fc.assert(
      fc.property(text, shares, (batch, cuts) => {
        const bytes = Buffer.from(batch)
        const once = inChunks(transform(), bytes, [])
        assert.equal(inChunks(transform(), bytes, cutPositions(bytes.length, cuts)), once)
        assert.equal(byteByByte(transform(), bytes), once)
        assert.equal(inChunks(transform(), Buffer.from(once), []), once, 'rewriting a rewritten batch changes nothing')
      }),
      { numRuns: 200 },
    ),
  )
  t.same(
    Array.from(changeSet, (_, cut) => inChunks(transform(), Buffer.from(changeSet), [cut])).filter(
      (out) => out !== rewrittenChangeSet,
    ),
    [],
  )
})
