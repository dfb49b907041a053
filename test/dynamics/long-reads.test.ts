import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'

import t from 'tap'
import type { Test } from 'tap'

import type { UpstreamResponse } from '../../src/dynamics/send.ts'
import { header } from '../../src/dynamics/send.ts'
import { connectionFixture, outbound, received, service, text } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

const LONG = outbound({ path: `/api/data/v9.1/accounts?$filter=${'x'.repeat(40_000)}` })

/** A multipart response with one part. */
function multipart(part: string, end = '\r\n--batchresponse_1--\r\n'): string {
  return `--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n${part}${end}`
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: W/"1"\r\nContent-Length: 2\r\n\r\n'
const TYPE = { 'content-type': 'multipart/mixed; boundary=batchresponse_1' }

/** Sends a long read to a service that answers with `respond`. */
async function sendLong(
  t: Test,
  respond: (response: ServerResponse, body: string) => void,
  other = {},
): Promise<{ readonly answer: Promise<UpstreamResponse>; readonly requests: string[] }> {
  const requests: string[] = []
  const origin = await service(t, (request, response) => {
    void received(request).then((body) => {
      requests.push(`${request.method} ${request.url}`)
      respond(response, body)
    })
  })
  const { send } = connectionFixture(t, origin)
  return { answer: send({ ...LONG, ...other }), requests }
}

t.test('the batch is at the root that the request names, and has the body of one GET', async (t) => {
  let sent = ''
  const { answer, requests } = await sendLong(
    t,
    (response, body) => {
      sent = body
      response.writeHead(200, { ...TYPE, 'content-type': `${TYPE['content-type']}`, 'x-ms-dop-hint': '9' })
      response.end(multipart(`${OK}{}`))
    },
    { headers: ['Accept', 'application/json', 'MSCRMCallerID', '1', 'OData-Version', '4.0', 'If-None-Match', 'W/"0"'] },
  )

  const { status, headers } = await answer
  t.equal(status, 200)
  t.equal(header({ headers }, 'etag'), 'W/"1"')
  t.equal(header({ headers }, 'content-type'), 'application/json')
  t.equal(header({ headers }, 'content-length'), undefined)
  t.equal(header({ headers }, 'x-ms-dop-hint'), '9')
  t.equal(await text(await answer), '{}')
  t.same(requests, ['POST /api/data/v9.1/$batch'])
  t.match(sent, /^--(batch_[\w-]+)\r\nContent-Type: application\/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /)
  t.match(
    sent.slice(-250),
    /x HTTP\/1\.1\r\nAccept: application\/json\r\nOData-Version: 4\.0\r\nIf-None-Match: W\/"0"\r\n\r\n\r\n--batch_[\w-]+--\r\n$/,
  )
})

for (const coding of ['identity', 'gzip'] as const) {
  t.test(`a large page is streamed no faster than it is read, in ${coding}`, async (t) => {
    const page = JSON.stringify({ value: Array.from({ length: 40_000 }, (_, row) => `${row} is a row of many`) })
    const complete = Buffer.from(multipart(`HTTP/1.1 200 OK\r\n\r\n${page}`))
    const { answer } = await sendLong(t, (response) => {
      if (coding === 'identity') return response.writeHead(200, TYPE).end(complete)
      return response.writeHead(200, { ...TYPE, 'content-encoding': coding }).end(gzipSync(complete))
    })

    const { body } = await answer
    const chunks: Buffer[] = []
    await new Promise<void>((resolve, reject) => {
      const sink = {
        resume: undefined as (() => void) | undefined,
        write(chunk: Buffer) {
          chunks.push(chunk)
          setImmediate(() => sink.resume?.())
          return false
        },
        end: resolve,
        fail: reject,
      }
      // By then some of it has arrived, and is buffered.
      setTimeout(() => body.pipeTo(sink), 20)
    })

    t.equal(Buffer.concat(chunks).toString(), page)
    t.ok(chunks.length > 3)
  })
}

t.test('a large page that has waited flows again when it is read', async (t) => {
  const page = 'x'.repeat(3_000_000)
  const { answer } = await sendLong(t, (response) => response.writeHead(200, TYPE).end(multipart(`${OK}${page}`)))
  const { body } = await answer
  await until(() => body.bufferedBytes >= 64 * 1024)
  t.notOk(body.complete)
  t.equal((await body.bytes(10_000_000)).toString(), page)
})

t.test('a truncated response is an error, never complete', async (t) => {
  const cut = multipart(`${OK}{"value":[`, '')
  for (const [kind, respond] of Object.entries({
    'the connection breaks': (response: ServerResponse) => {
      response.writeHead(200, TYPE).write(cut)
      setTimeout(() => response.destroy(), 30)
    },
    'the connection breaks in the middle of gzip': (response: ServerResponse) => {
      response.writeHead(200, { ...TYPE, 'content-encoding': 'gzip' }).write(gzipSync(cut).subarray(0, -4))
      setTimeout(() => response.destroy(), 30)
    },
    'it ends without the last delimiter': (response: ServerResponse) => response.writeHead(200, TYPE).end(cut),
    'the coding is none': (response: ServerResponse) =>
      response.writeHead(200, { ...TYPE, 'content-encoding': 'gzip' }).end(gzipSync(cut).subarray(0, -4)),
    'a second part follows': (response: ServerResponse) =>
      response.writeHead(200, TYPE).end(multipart(`${OK}{}`, '\r\n') + multipart(`${OK}{}`)),
  })) {
    const { answer } = await sendLong(t, respond)
    const { body } = await answer
    await t.rejects(body.bytes(1000), kind)
    t.notOk(body.complete, kind)
  }
})

t.test('a response that breaks before its part begins is retried; one without a part is invalid', async (t) => {
  let count = 0
  const { answer, requests } = await sendLong(t, (response) => {
    if (++count > 1) return void response.writeHead(200, TYPE).end(multipart(`${OK}{}`))
    response.writeHead(200, TYPE).write('--batchresponse_1\r\nContent-Type: app')
    setTimeout(() => response.destroy(), 10)
  })
  t.equal((await answer).status, 200)
  t.equal(requests.length, 2)

  for (const [kind, type, body] of [
    ['no part', TYPE['content-type'], '--batchresponse_1--\r\n'],
    ['no status', TYPE['content-type'], multipart('HTTP/1.1 OK\r\n\r\n{}')],
    ['no boundary', 'multipart/mixed', multipart(`${OK}{}`)],
    ['no multipart', 'application/json', '{"value":[]}'],
    ['no head', TYPE['content-type'], `--batchresponse_1\r\n${'x: y\r\n'.repeat(200)}`],
  ] as const) {
    const { answer, requests } = await sendLong(t, (response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    )
    await t.rejects(answer, { code: 'GATEWAY_DYNAMICS_ANSWER_INVALID' }, kind)
    t.equal(requests.length, 1, kind)
  }
})

t.test('an error of the batch itself is passed on unchanged', async (t) => {
  const { answer } = await sendLong(t, (response) =>
    response.writeHead(403, { 'content-type': 'application/json' }).end('{"error":{}}'),
  )

  t.equal((await answer).status, 403)
  t.equal(await text(await answer), '{"error":{}}')
})

t.test('an unwanted body is discarded', async (t) => {
  const large = multipart(`${OK}${'x'.repeat(3_000_000)}`)
  for (const coding of ['identity', 'gzip']) {
    const { answer } = await sendLong(t, (response) => {
      response.on('error', () => undefined)
      if (coding === 'identity') response.writeHead(200, TYPE).end(large)
      else response.writeHead(200, { ...TYPE, 'content-encoding': 'gzip' }).end(gzipSync(large))
    })
    const { body } = await answer
    t.match(body.peek()?.toString() ?? 'x', /^x/)
    await t.rejects(body.bytes(10), /larger than 10 bytes/)
    await new Promise<void>((resolve) => body.onClose(resolve))
  }
})

t.test('the caller may disconnect before the part begins', async (t) => {
  const request = outbound({ path: LONG.path })
  const origin = await service(t, (_request, response) => {
    response.writeHead(200, TYPE).write('--batchresponse_1\r\n')
    setTimeout(() => request.cancellation.cancel(new Error('gone')), 20)
  })

  await t.rejects(connectionFixture(t, origin).send(request), /gone/)
})
