import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'

import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { chain } from '../../src/dynamics/chain.ts'
import { rewriteRequestBody } from '../../src/dynamics/rewrite-request-body.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../../src/dynamics/send.ts'
import { requestBatch } from '../../src/odata/batch.ts'
import { requestLinks } from '../../src/odata/request-links.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import type { TextTransform } from '../../src/odata/text-transform.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { outbound } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

const map = urlMap(targetAddress('https://org.crm4.dynamics.com/api/data/v9.2'), {
  base: 'http://gw:8080',
  form: 'short',
})
const answer = { status: 400, headers: [] } as unknown as UpstreamResponse

/** Sends with `send` after the stage under test. */
function rewriting(send: Send, limit: number): Send {
  return chain([(next) => rewriteRequestBody(next, limit)], send)
}

/** Fails at the end, as an unclosed `$batch` does. */
const unclosed: TextTransform = {
  push: (text) => text,
  end: () => {
    throw new Error('not closed')
  },
}

t.test('a buffered body with links is sent with those of Dynamics, one without links as it is', async (t) => {
  for (const padding of ['', 'x'.repeat(200_000)]) {
    for (const [sent, expected] of [
      ['http://gw:8080/contacts(1)', 'https://org.crm4.dynamics.com/api/data/v9.2/contacts(1)'],
      ['/contacts(1)', undefined],
    ] as const) {
      const body = Buffer.from(JSON.stringify({ padding, 'a@odata.bind': sent }))
      let received: OutboundRequest['body']
      const send = rewriting(async (request) => {
        received = request.body
        return answer
      }, 1_000_000)
      await send({ ...streamed(new PassThrough(), new Cancellation(), requestLinks(map)), body })
      if (expected === undefined) t.equal(received, body, 'the same bytes')
      else t.equal(String(received), body.toString().replace(sent, expected))
    }
  }
})

t.test('the rest of a body after an early response is read and discarded', async (t) => {
  const body = new PassThrough()
  const cancellation = new Cancellation()
  const send = rewriting(async (request) => {
    const flowing = request.body as Readable
    await new Promise((resolve) => flowing.once('data', resolve))
    // As undici destroys a body when the response has arrived.
    flowing.destroy()
    return answer
  }, 1_000_000)

  const answering = send(streamed(body, cancellation, unclosed))
  body.write('a'.repeat(100_000))
  t.equal(await answering, answer)
  for (let count = 0; count < 8; count++) body.write('b'.repeat(100_000))
  body.end()
  await until(() => body.readableEnded)

  t.equal(cancellation.reason, undefined)
})

t.test('a body that goes on far beyond the limit after the response is cut off', async (t) => {
  const body = new PassThrough()
  const cancellation = new Cancellation()
  const send = rewriting(async (request) => {
    ;(request.body as Readable).destroy()
    return answer
  }, 1000)

  t.equal(await send(streamed(body, cancellation, undefined)), answer)
  let written = 0
  while (!body.destroyed && written < 32 * 1024 * 1024) {
    written += 1024 * 1024
    await new Promise((resolve) => body.write(Buffer.alloc(1024 * 1024), resolve))
  }

  t.ok(body.destroyed)
  t.equal(written, 17 * 1024 * 1024, 'as much is read as an honest caller may still send')
  t.equal(cancellation.reason, undefined, 'the response counts')
})

t.test('a body that cannot be rewritten to its end fails the request', async (t) => {
  const body = new PassThrough()
  const cancellation = new Cancellation()
  const send = rewriting(async (request) => {
    const flowing = request.body as Readable
    await new Promise((resolve, reject) =>
      flowing
        .on('data', () => undefined)
        .on('end', resolve)
        .on('error', reject),
    )
    return answer
  }, 1_000_000)

  const answering = send(streamed(body, cancellation, unclosed))
  body.end('a')
  await t.rejects(answering, { message: 'not closed' })
  t.match(cancellation.reason, { message: 'not closed' })
})

t.test('a streamed JSON batch without its end ends the request', async (t) => {
  const cancellation = new Cancellation()
  const send = rewriting(async (request) => {
    await (request.body as Readable).toArray()
    return t.fail('it has no end') as never
  }, 1_000_000)
  const transform = requestBatch(map, 'application/json', { onPart() {} })

  await t.rejects(send(streamed(Readable.from([Buffer.from('{"requests":[')]), cancellation, transform)), {
    name: 'MalformedBatch',
  })
  t.match(cancellation.reason, { name: 'MalformedBatch' })
})

t.test('after a piece that cannot be rewritten no other is', async (t) => {
  const cancellation = new Cancellation()
  let pushed = 0
  const refusing: TextTransform = {
    push() {
      pushed++
      throw new Error('refused')
    },
    end: () => t.fail('it has failed') as never,
  }
  const send = rewriting(async (request) => {
    await (request.body as Readable).toArray()
    return t.fail('it has failed') as never
  }, 1_000_000)

  await t.rejects(send(streamed(Readable.from([Buffer.alloc(200_000)]), cancellation, refusing)), {
    message: 'refused',
  })
  t.equal(pushed, 1)
})

t.test('a body is not read before it is sent, and its end in the meantime ends the request only', async (t) => {
  const body = new PassThrough()
  const cancellation = new Cancellation()
  const send = rewriting(() => cancellation.wait<UpstreamResponse>(() => undefined), 1_000_000)

  const answering = send(streamed(body, cancellation, requestLinks(map)))
  body.write('a'.repeat(10_000))
  await sleep(20)
  t.equal(body.readableLength, 10_000)
  body.destroy(new Error('the caller disconnected'))
  await until(() => body.closed)
  cancellation.cancel(new Error('cancelled'))
  await t.rejects(answering, { message: 'cancelled' })
})

t.test('a body is read no faster than it is sent', async (t) => {
  const body = new PassThrough()
  let taken: Readable | undefined
  const send = rewriting(async (request) => {
    taken = request.body as Readable
    return answer
  }, 100_000_000)
  await send(streamed(body, new Cancellation(), undefined))
  taken!.read(0)
  let written = 0
  while (written < 10_000_000 && body.write(Buffer.alloc(64 * 1024))) {
    written += 64 * 1024
    await sleep(1)
  }

  t.ok(written < 1_000_000, `${written} bytes`)
  taken!.destroy()
})

/** A JSON batch of about 8 MB, which takes far longer than one turn of the event loop may. */
const large = Buffer.from(
  `{"requests":[{"method":"POST","url":"a","body":{"a@odata.bind":[${'"h",'.repeat(2_000_000)}""]}}]}`,
)

for (const [name, bodyOf] of [
  ['kept', () => large],
  ['streamed', () => Readable.from([large.subarray(0, 3_000_000), large.subarray(3_000_000)])],
] as const) {
  t.test(`a large body does not block the event loop, ${name}`, async (t) => {
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    const send = rewriting(async (request) => {
      const { body } = request
      const bytes = Buffer.isBuffer(body) ? body : Buffer.concat(await (body as Readable).toArray())
      t.ok(bytes.equals(Buffer.from(large.toString().replace('"a"', '"/api/data/v9.2/a"'))) || bytes.equals(large))
      return answer
    }, 100_000_000)
    setImmediate(count)

    await send({
      ...streamed(new PassThrough(), new Cancellation(), requestBatch(map, 'application/json', { onPart() {} })),
      body: bodyOf(),
    })
    running = false

    t.ok(turns >= 4, `${turns} turns`)
  })
}

t.test('a large body is not rewritten further after its caller disconnects', async (t) => {
  const cancellation = new Cancellation()
  let pushed = 0
  const slow: TextTransform = {
    push(text) {
      pushed++
      for (const until = performance.now() + 6; performance.now() < until;);
      cancellation.cancel(new Error('left'))
      return text
    },
    end: () => '',
  }
  const send = rewriting(async () => t.fail('nothing is sent') as never, 100_000_000)

  await t.rejects(send({ ...streamed(new PassThrough(), cancellation, slow), body: large }), { message: 'left' })
  t.equal(pushed, 1)
})

function streamed(
  body: Readable,
  cancellation: OutboundRequest['cancellation'],
  transform: TextTransform | undefined,
): OutboundRequest {
  return {
    ...outbound({ method: 'POST', path: '/accounts' }),
    body,
    cancellation,
    transform: transform === undefined ? undefined : () => transform,
  }
}
