import { gunzipSync } from 'node:zlib'

import t from 'tap'

import { bufferPrefix } from '../../src/cache/buffer-prefix.ts'
import { recordResponse } from '../../src/cache/record-response.ts'
import type { RecordedBody } from '../../src/cache/record-response.ts'
import { bodyOf } from '../../src/cache/stored-response.ts'
import type { ResponseBody, Sink } from '../../src/dynamics/send.ts'
import { DynamicsTooSlow } from '../../src/errors.ts'
import { withFirstBytes } from '../../src/proxy/first-bytes.ts'
import { until } from '../support/until.ts'

/** A sink that records its calls. */
function collector(): Sink & { readonly heard: string[] } {
  const heard: string[] = []
  return {
    heard,
    resume: undefined,
    write: (chunk) => heard.push(String(chunk)) > 0,
    end: () => void heard.push('end'),
    fail: (reason) => void heard.push(`failed: ${reason.message}`),
  }
}

/** A body that the test feeds: `upstream()` is the sink that it was piped to, `resumed()` counts calls of `resume`. */
function controlledBody(): {
  readonly body: ResponseBody
  readonly arrives: () => Sink
  readonly resumed: () => number
} {
  let sink: Sink | undefined
  let resumed = 0
  const body: ResponseBody = {
    complete: false,
    bufferedBytes: 0,
    peek: () => undefined,
    pipeTo(to) {
      sink = to
      to.resume = () => void resumed++
    },
    bytes: () => Promise.resolve(Buffer.from('all')),
    dump: () => undefined,
    onClose: (callback) => callback(),
  }
  return { body, arrives: () => sink!, resumed: () => resumed }
}

function responseOf(
  body: ResponseBody,
  headers: Readonly<Record<string, string>>,
): Parameters<typeof recordResponse>[0] {
  const all = { 'content-type': 'application/json', 'transfer-encoding': 'chunked', ...headers }
  return {
    status: 200,
    headers: Object.entries(all)
      .flat()
      .map((text) => Buffer.from(text)),
    body,
  }
}

t.test('the rest of a long body follows its first bytes, whether it ends or fails', async (t) => {
  for (const [ends, heard] of [
    [(sink: Sink) => sink.end(), ['first', 'end']],
    [(sink: Sink) => sink.fail(new Error('reset')), ['first', 'failed: reset']],
  ] as const) {
    const { body, arrives } = controlledBody()
    const prefix = bufferPrefix(body, 3, () => undefined)
    t.equal(arrives().write(Buffer.from('first')), false)
    const { hasMore, body: rest } = await prefix
    t.ok(hasMore)
    const complete = rest()
    t.same(complete.peek(), Buffer.from('first'))
    await t.rejects(complete.bytes(10), { message: /passed on, not read/ })
    let isClosed = false
    complete.onClose(() => {
      isClosed = true
    })
    t.ok(isClosed)
    ends(arrives())
    const to = collector()
    complete.pipeTo(to)
    t.same(to.heard, heard)
  }
})

t.test('the rest of a long body flows while it arrives, and ends or fails as it does', async (t) => {
  for (const [ends, heard] of [
    [(sink: Sink) => sink.end(), ['first', 'second', 'end']],
    [(sink: Sink) => sink.fail(new Error('reset')), ['first', 'second', 'failed: reset']],
  ] as const) {
    const { body, arrives, resumed } = controlledBody()
    const prefix = bufferPrefix(body, 3, () => undefined)
    arrives().write(Buffer.from('first'))
    const to = collector()
    ;(await prefix).body().pipeTo(to)
    t.equal(resumed(), 1)
    to.resume!()
    t.equal(resumed(), 2)
    arrives().write(Buffer.from('second'))
    ends(arrives())
    t.same(to.heard, heard)
  }
})

t.test('a body that does not arrive fails with an error of the gateway', async (t) => {
  for (const [reason, code] of [
    [Object.assign(new Error(), { code: 'ECONNRESET', syscall: 'read' }), 'GATEWAY_DYNAMICS_BROKE_OFF'],
    [Object.assign(new Error(), { code: 'HPE_INVALID_CHUNK_SIZE' }), 'GATEWAY_DYNAMICS_ANSWER_INVALID'],
    [new DynamicsTooSlow('no answer in time'), 'GATEWAY_DYNAMICS_TOO_SLOW'],
  ] as const) {
    const { body, arrives } = controlledBody()
    const prefix = bufferPrefix(body, 10, () => undefined)
    arrives().fail(reason)
    await t.rejects(prefix, { code })
  }
})

t.test('a body is copied on its way to the caller if it can be cached', async (t) => {
  const recorded: RecordedBody[] = []
  const record = (bytes: Buffer, headers: Record<string, string> = {}, limit = 10_000_000): ResponseBody =>
    recordResponse(responseOf(bodyOf(bytes), headers), limit, (body) => recorded.push(body)).body
  const json = Buffer.from('{"value":[]}')
  const copied = record(json)
  t.equal(copied.peek(), json)
  t.equal(await copied.bytes(100), json)
  copied.dump()
  copied.onClose(() => t.pass('closed'))
  const to = collector()
  copied.pipeTo(to)
  t.same(to.heard, [String(json), 'end'])
  t.match(recorded, [{ body: json }])

  record(json, {}, 5).pipeTo(collector())
  record(json, { 'content-encoding': 'br' }).pipeTo(collector())
  t.equal(recorded.length, 1, 'a body over the limit or in brotli is not cached')
  const large = Buffer.from(`{"value":"${'x'.repeat(2_000_000)}"}`)
  record(large).pipeTo(collector())
  await until(() => recorded.length === 2)
  t.same(gunzipSync(recorded[1]!.body), large)
})

t.test('the first bytes are inspected once, when they arrive', async (t) => {
  const looked: string[] = []
  const { body, arrives } = controlledBody()
  const watched = withFirstBytes(body, (bytes) => looked.push(String(bytes)))
  t.equal(watched.peek(), undefined)
  t.same(await watched.bytes(10), Buffer.from('all'))
  watched.dump()
  watched.onClose(() => t.pass('closed'))
  const to = collector()
  watched.pipeTo(to)
  t.equal(arrives().resume, to.resume)
  arrives().write(Buffer.from('one'))
  arrives().write(Buffer.from('two'))
  arrives().fail(new Error('reset'))
  t.same(looked, ['one'])
  t.same(to.heard, ['one', 'two', 'failed: reset'])
  const stored = bodyOf(Buffer.from('there'))
  t.equal(
    withFirstBytes(stored, (bytes) => looked.push(String(bytes))),
    stored,
  )
  t.same(looked, ['one', 'there'])
})
