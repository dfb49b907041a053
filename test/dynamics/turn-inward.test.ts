import { setTimeout as sleep } from 'node:timers/promises'
import { PassThrough, type Readable } from 'node:stream'

import t from 'tap'

import { createDeparture } from '../../src/dynamics/departure.ts'
import type { Answer, Outbound } from '../../src/dynamics/send.ts'
import { turnInward } from '../../src/dynamics/turn-inward.ts'
import type { TextTransform } from '../../src/odata/text-transform.ts'
import { outbound } from './way.ts'

const answer = { status: 400, headers: [] } as unknown as Answer

/** Fails when the end comes, as a `$batch` does that was not closed. */
const unclosed: TextTransform = {
  push: (text) => text,
  end: () => { throw new Error('not closed') },
}

t.test('what follows an early answer is read and dropped, and spoils nothing', async (t) => {
  const body = new PassThrough()
  const departure = createDeparture()
  const send = turnInward(async (request) => {
    const flowing = request.body as Readable
    await new Promise((resolve) => flowing.once('data', resolve))
    // As undici lets go of a body whose answer is there.
    flowing.destroy()
    return answer
  }, 1_000_000)

  const answering = send(streamed(body, departure, unclosed))
  body.write('a'.repeat(100_000))
  t.equal(await answering, answer)
  for (let count = 0; count < 8; count++) body.write('b'.repeat(100_000))
  body.end()
  while (!body.readableEnded) await sleep(1)

  t.equal(departure.reason, undefined)
})

t.test('a body that cannot be turned to its end ends the request', async (t) => {
  const body = new PassThrough()
  const departure = createDeparture()
  const send = turnInward(async (request) => {
    const flowing = request.body as Readable
    await new Promise((resolve, reject) => flowing.on('data', () => undefined).on('end', resolve).on('error', reject))
    return answer
  }, 1_000_000)

  const answering = send(streamed(body, departure, unclosed))
  body.end('a')
  await t.rejects(answering, { message: 'not closed' })
  t.match(departure.reason, { message: 'not closed' })
})

t.test('a body is read no faster than it is sent', async (t) => {
  const body = new PassThrough()
  let taken: Readable | undefined
  const send = turnInward(async (request) => {
    taken = request.body as Readable
    return answer
  }, 100_000_000)
  await send(streamed(body, createDeparture(), undefined))
  taken!.read(0)
  let written = 0
  while (written < 10_000_000 && body.write(Buffer.alloc(64 * 1024))) {
    written += 64 * 1024
    await sleep(1)
  }

  t.ok(written < 1_000_000, `${written} bytes`)
  taken!.destroy()
})

function streamed(
  body: Readable, departure: Outbound['departure'], transform: TextTransform | undefined,
): Outbound {
  return {
    ...outbound({ method: 'POST', path: '/accounts' }), body, departure,
    transform: transform === undefined ? undefined : () => transform,
  }
}
