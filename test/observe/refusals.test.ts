import t from 'tap'

import { RequestRecord } from '../../src/dynamics/request-record.ts'
import { onceIn } from '../../src/observe/once-in.ts'
import { explainRefusals } from '../../src/observe/refusals.ts'

t.test('only refusals caused by the set-up are logged, each once', async (t) => {
  const lines: string[] = []
  const log = explainRefusals(
    { warn: ((_: object, sentence: string) => lines.push(sentence)) as never },
    false,
    () => {},
  )
  const refusal = (body: string | undefined, contentType = 'application/json') => ({
    status: 403,
    contentType,
    body: body === undefined ? undefined : Buffer.from(body),
    impersonated: false,
    record: new RequestRecord('id', 0),
  })
  log(refusal(undefined))
  log(refusal('{"error":{"code":'))
  log(refusal('{"error":{"code":"0x80040217"}}'))
  t.same(lines, [])
  log(refusal('{"error":{"message":"Access to your IP is blocked"}}'))
  log(refusal('{"error":{"message":"Access to your IP is blocked"}}'))
  t.equal(lines.length, 1)
  log(refusal('<html>', 'text/html'))
  t.equal(lines.length, 2)
})

t.test('the memory for keys is limited', async (t) => {
  const isDue = onceIn(60_000)
  for (let key = 0; key <= 100; key++) isDue(String(key))
  t.equal(isDue('100'), false)
  t.equal(isDue('0'), true)
})
