import { PassThrough, Readable } from 'node:stream'

import t from 'tap'

import { outbound, pause, received, service, text, connectionFixture } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

t.test('a small body is sent once it is complete, with its length', async (t) => {
  const requests: unknown[] = []
  const origin = await service(t, async (request, response) => {
    requests.push([request.headers['content-length'], request.headers['transfer-encoding'], await received(request)])
    response.end()
  })
  const { send } = connectionFixture(t, origin)
  const body = new PassThrough()

  const answer = send(outbound({ method: 'POST', body }))
  body.write('{"a"')
  await pause(30)
  t.same(requests, [], 'a slow caller occupies no slot')
  body.end(':1}')
  await text(await answer)

  t.same(requests, [['7', undefined, '{"a":1}']])
})

t.test('a larger body is streamed completely, with its declared length', async (t) => {
  const requests: { length: string | undefined; body: string }[] = []
  const origin = await service(t, async (request, response) => {
    requests.push({ length: request.headers['content-length'], body: await received(request) })
    response.end()
  })
  const { send } = connectionFixture(t, origin, { keepBody: 10 })
  const chunks = ['12345', '67890', 'ABCDE', 'FGHIJ']

  await text(await send(outbound({ method: 'POST', body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) })))
  await text(
    await send(
      outbound({
        method: 'POST',
        body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
        bodyLength: 20,
      }),
    ),
  )

  t.same(
    requests.map(({ body }) => body),
    ['1234567890ABCDEFGHIJ', '1234567890ABCDEFGHIJ'],
  )
  t.equal(requests[1]!.length, '20')
})

t.test('a large body is read only as fast as Dynamics takes it', async (t) => {
  let taken: (() => void) | undefined
  const origin = await service(t, (request, response) => {
    taken = () => request.resume().on('end', () => response.end())
  })
  const { send } = connectionFixture(t, origin, { keepBody: 1000 })
  let produced = 0
  const body = new Readable({
    read() {
      produced += 65_536
      this.push(produced > 64 * 1_048_576 ? null : Buffer.alloc(65_536))
    },
  })

  const answer = send(outbound({ method: 'POST', body }))
  while (taken === undefined) await pause(10)
  await pause(200)
  t.ok(produced < 32 * 1_048_576, `${produced} bytes were read ahead`)
  taken()

  await text(await answer)
  t.ok(produced > 64 * 1_048_576)
})

t.test("a body beyond the caller's limit is not buffered", async (t) => {
  const origin = await service(t, async (request, response) => {
    await received(request).catch(() => {})
    response.end()
  })
  const { send } = connectionFixture(t, origin, {}, undefined, { bodyLimit: 10 })

  t.equal((await send(outbound({ method: 'POST', body: Readable.from([Buffer.from('1234567890')]) }))).status, 200)
  await t.rejects(send(outbound({ method: 'POST', body: Readable.from([Buffer.from('12345678901')]) })), {
    code: 'GATEWAY_BODY_TOO_LARGE',
  })
})

t.test('when the memory for bodies is full, further bodies are streamed', async (t) => {
  const sizes: number[] = []
  const waiting: (() => void)[] = []
  const origin = await service(t, async (request, response) => {
    sizes.push((await received(request)).length)
    if (sizes.length > 64) response.writeHead(401).end()
    else waiting.push(() => response.end())
  })
  const { send, state, events } = connectionFixture(t, origin, { concurrency: 100 })
  const mebibyte = (): Readable => Readable.from([Buffer.alloc(1_048_576, 'a')])
  const kept = Array.from({ length: 64 }, () => send(outbound({ method: 'POST', body: mebibyte() })))
  await until(() => waiting.length === 64)

  await t.rejects(send(outbound({ method: 'POST', body: mebibyte() })), { code: 'GATEWAY_TOKEN_REFUSED' })
  for (const go of waiting) go()
  await Promise.all(kept)

  t.same([...new Set(sizes)], [1_048_576])
  t.match(state(), { running: 0 })
  t.same(events, [{ kind: 'token-refused', repeated: false, id: 'test' }], 'a streamed body cannot be sent again')
})

t.test('a truncated body is not sent', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    response.end()
  })
  const { send } = connectionFixture(t, origin)
  const breaks = new PassThrough()
  const ends = new PassThrough()
  const leaves = outbound({ method: 'POST', body: new PassThrough() })

  const answers = [
    send(outbound({ method: 'POST', body: breaks })),
    send(outbound({ method: 'POST', body: ends })),
    send(leaves),
  ]
  breaks.write('{')
  breaks.destroy(new Error('aborted'))
  ends.destroy()
  leaves.cancellation.cancel(new Error('left'))

  await t.rejects(answers[0]!, { message: 'aborted' })
  await t.rejects(answers[1]!, { code: 'GATEWAY_BAD_REQUEST' })
  await t.rejects(answers[2]!, { message: 'left' })
  await t.rejects(send(leaves), { message: 'left' }, 'a caller that disconnected before is not waited for')
  t.equal(requests, 0)
})
