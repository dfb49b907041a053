import { PassThrough } from 'node:stream'

import t from 'tap'

import { bufferedBody } from '../../src/dynamics/buffered-response.ts'
import { guarded } from '../../src/dynamics/guarded-sink.ts'
import { TokenRefused } from '../../src/errors.ts'
import { connectionFixture, outbound, received, service, text } from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.test('a body in very many pieces is sent unchanged', async (t) => {
  const bodies: string[] = []
  const origin = await service(t, async (request, response) => {
    bodies.push(await received(request))
    response.end()
  })
  const { send } = connectionFixture(t, origin)
  const body = new PassThrough()
  const sent = Array.from({ length: 600 }, (_, index) => String(index % 10))
  const answer = send(outbound({ method: 'POST', body }))
  for (const piece of sent) body.write(piece)
  body.end()
  await text(await answer)
  t.same(bodies, [sent.join('')])
})

t.test('a buffered body beyond the limit is refused', async (t) => {
  t.equal(String(await bufferedBody(Buffer.from('{}')).bytes(2)), '{}')
  await t.rejects(bufferedBody(Buffer.from('{}')).bytes(1), { message: 'the body is larger than 1 bytes' })
})

t.test('a failed sink gets fail once, and no other call', async (t) => {
  const calls: string[] = []
  const sink = guarded({
    resume: undefined,
    write: () => {
      throw new Error('full')
    },
    end: () => void calls.push('end'),
    fail: (reason) => void calls.push(reason.message),
  })
  t.equal(sink.write(Buffer.from('x')), true)
  sink.fail(new Error('again'))
  sink.end()
  t.same(calls, ['full'])
})

t.test('both tokens of a person are discarded when Dynamics refuses them one after the other', async (t) => {
  const origin = await service(t, (_, response) => response.writeHead(401).end())
  const { send } = connectionFixture(t, origin)
  const discarded: string[] = []
  let issued = 0
  const tokens = {
    authorization: () => `Bearer ${++issued}`,
    discard: (authorization: string) => void discarded.push(authorization),
  }
  await t.rejects(send(outbound({ tokens })), new TokenRefused())
  t.same(discarded, ['Bearer 1', 'Bearer 2'])
})

t.test('a body that has paused its connection flows again when it is read', async (t) => {
  const large = 'x'.repeat(3_000_000)
  const origin = await service(t, (_, response) => response.end(large))
  const { send } = connectionFixture(t, origin)
  const answer = await send(outbound())
  await until(() => answer.body.bufferedBytes >= 64 * 1024)
  t.notOk(answer.body.complete)
  t.equal(await text(answer), large)
})
