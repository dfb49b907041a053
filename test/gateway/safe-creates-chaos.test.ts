import t from 'tap'
import { Agent } from 'undici'

import type { DataverseFault } from '../../emulator/emulator.ts'
import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'

t.setTimeout(600_000)

const FAULTS: readonly DataverseFault[] = [
  { kind: 'reset', method: 'POST' },
  { kind: 'reset after commit', method: 'POST' },
  { kind: 'reset after commit', method: 'POST', times: 3 },
  { kind: 'hang', method: 'POST' },
  { kind: 'half' },
  { kind: 'close after' },
  { kind: 'invalid head' },
  { kind: 'html' },
  { kind: 'unavailable' },
  { kind: 'deadlock', method: 'POST' },
  { kind: 'throttle', limit: 'count', retryAfter: 1 },
]

/** The number of creates and of concurrent callers; raise them for a soak test. */
const CREATES = Number(process.env['SOAK_CREATES'] ?? 200)
const CALLERS = 20

t.test('keyed creates under random faults make one row each, without manual checks', async (t) => {
  const gateway = await gatewayOnSockets({ REQUEST_TIMEOUT: '500ms', LOG_LEVEL: 'silent' })
  const agent = new Agent({ connections: CALLERS })
  t.teardown(async () => {
    await agent.destroy()
    await gateway.close()
  })
  const { emulator, url } = gateway
  const found: string[] = []
  let next = 0
  let sends = 0

  /** Repeats one create until it succeeds, as a caller without other knowledge does. */
  async function create(number: number): Promise<void> {
    const row = { lastname: `chaos ${number}`, jobtitle: 'x'.repeat(number % 50) }
    const representation: Record<string, string> = number % 3 === 0 ? { prefer: 'return=representation' } : {}
    for (let attempt = 0; attempt < 50; attempt++) {
      sends++
      try {
        const { statusCode, body } = await agent.request({
          origin: url,
          path: '/contacts',
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': `"chaos ${number}"`, ...representation },
          body: JSON.stringify(row),
        })
        const text = await body.text()
        if (/before you send it again/.test(text)) found.push(`${number}: ${text}`)
        if (statusCode === 201 || statusCode === 204) return
        if (statusCode < 429) return void found.push(`${number}: ${statusCode} ${text}`)
      } catch {
        // The answer broke off: the create is sent again.
      }
    }
    found.push(`${number}: given up`)
  }

  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (next < CREATES) {
        const number = next++
        if (number % 4 === 0) {
          const fault = FAULTS[(number / 4) % FAULTS.length]!
          emulator.faults.dataverse.push({ ...fault, path: 'contacts', skip: number % 3 })
        }
        await create(number)
      }
    }),
  )

  const counts = new Map<unknown, number>()
  for (const { lastname } of emulator.rows('contacts')) counts.set(lastname, (counts.get(lastname) ?? 0) + 1)
  for (let number = 0; number < CREATES; number++) {
    const rows = counts.get(`chaos ${number}`) ?? 0
    if (rows !== 1) found.push(`${number}: ${rows} rows`)
  }
  t.same(found, [])
  t.comment(`${CREATES} creates, sent ${sends} times by callers`)
})
