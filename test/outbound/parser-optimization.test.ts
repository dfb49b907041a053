import { execFile } from 'node:child_process'
import { Socket } from 'node:net'
import { versions } from 'node:process'
import { promisify } from 'node:util'
import { Script } from 'node:vm'

import t from 'tap'

import { optimizingParserLater } from '../../src/outbound/parser-optimization.ts'
import { service } from '../support/connection-fixture.ts'

t.setTimeout(120_000)

const run = promisify(execFile)

const AGENT = new URL('../../src/outbound/agent.js', import.meta.url).href

/** V8 allocates 17 MiB or more to optimize the parser, and less than 5 MiB for all else in these processes. */
const OPTIMIZED_BYTES = 12 * 1024 * 1024

/**
 * Sends requests one after another, and prints whether V8 had optimized the parser after 20, and after how many it had.
 * Each process starts with a parser that is not compiled.
 */
const SCRIPT = `
  import { setTimeout as sleep } from 'node:timers/promises'
  import { getHeapStatistics } from 'node:v8'
  import { createAgent } from ${JSON.stringify(AGENT)}

  const agent = createAgent({ connectTimeout: 10_000, connections: 1 })
  const isOptimized = () => getHeapStatistics().peak_malloced_memory > ${OPTIMIZED_BYTES}
  async function get() {
    const { body } = await agent.reads.request({ origin: process.argv[1], path: '/', method: 'GET' })
    await body.dump()
  }
  for (let i = 0; i < 20; i++) await get()
  await sleep(500)
  const early = isOptimized()
  let responses = 20
  for (; !isOptimized() && responses < 20_000; responses++) await get()
  console.log(JSON.stringify({ early, responses }))
  await agent.destroy()
`

t.test("V8 optimizes undici's parser after more responses than a start has", async (t) => {
  const origin = await service(t, (_request, response) => response.end('{}'))
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', SCRIPT, origin])
  const { early, responses } = JSON.parse(stdout) as { early: boolean; responses: number }
  t.equal(early, false)
  t.ok(responses < 20_000, `${responses} responses`)
})

t.test('afterwards V8 accepts compiled code from before', (t) => {
  // V8 compares only the length of the code. It would not look at the data if it had compiled the same code before.
  let number = 100
  const code = (): string => `(one) => one + ${number++}`
  const cachedData = new Script(code()).createCachedData()
  const isRejected = (): boolean | undefined => new Script(code(), { cachedData }).cachedDataRejected
  const called: unknown[] = []
  const onConnect = optimizingParserLater((...outcome) => void called.push(outcome, isRejected()))

  const refused = new Error('refused')
  onConnect(refused, null)
  t.same(called.splice(0), [[refused, null], false], 'without a connection nothing is compiled')
  const socket = new Socket()
  onConnect(null, socket)
  onConnect(null, socket)
  const isSet = Number(versions.node.split('.')[0]) < 26
  t.same(called, [[null, socket], isSet, [null, socket], false])
  t.equal(isRejected(), false)
  t.end()
})
