import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

import t from 'tap'

const log = new URL('../../src/observe/log.js', import.meta.url).href

t.test('a process that ends all of a sudden leaves its last lines', async (t) => {
  const output = await run(`
    log.info({ count: 1 }, 'one')
    log.error('the last')
    process.exit(3)
  `)

  t.same(
    output.map(({ msg }) => msg),
    ['one', 'the last'],
  )
})

t.test('so does one that crashes', async (t) => {
  t.same(
    (await run('log.warn("before"); setImmediate(() => { throw new Error() })')).map(({ msg }) => msg),
    ['before'],
  )
})

t.test('thousands of lines in one turn come whole and in order', async (t) => {
  const output = await run('for (let count = 0; count < 5000; count++) log.info({ count }, "line")')

  t.same(
    output.map(({ count }) => count),
    Array.from({ length: 5000 }, (_, count) => count),
  )
})

t.test('lines that are on the way when a process crashes are not overtaken by its last ones', async (t) => {
  const script = 'for (let count = 0; count < 250; count++) log.info({ count }, "line"); throw new Error()'
  for (const output of await Promise.all(Array.from({ length: 12 }, () => run(script)))) {
    t.same(
      output.map(({ count }) => count),
      Array.from({ length: 250 }, (_, count) => count),
    )
  }
})

t.test('the line about a request is as the log itself would write it', async (t) => {
  const facts = [
    {
      id: 'a.b:c-1',
      method: 'GET',
      entitySet: '$metadata',
      status: 200,
      ms: 12.5,
      caller: 'Käthe "K" \u2028\n',
      callerId: true,
      code: undefined,
      causes: undefined,
    },
    {
      id: 'x',
      method: 'M-SEARCH',
      entitySet: 'other',
      status: 503,
      ms: 0.04,
      caller: 'anybody',
      callerId: false,
      code: 'GATEWAY_STOPPING',
      causes: ['one "and" \u0007', 'two'],
    },
  ]
  const output = await run(`
    const facts = ${JSON.stringify(facts)}
    for (const one of facts) {
      requestLog(log)(one)
      log[one.status < 500 ? 'info' : 'warn']({ ...one, ms: Math.round(one.ms * 10) / 10 }, 'request')
    }
    log.level = 'warn'
    for (const one of facts) requestLog(log)({ ...one, id: 'quiet' })
  `)

  t.same(timeless(output[0]), timeless(output[1]))
  t.same(timeless(output[2]), timeless(output[3]))
  t.same(Object.keys(output[2]!), Object.keys(output[3]!))
  t.same(
    output.slice(4).map(({ id, status }) => [id, status]),
    [['quiet', 503]],
  )
  t.ok(Math.abs(Number(output[0]!.time) - Date.now()) < 60_000)
})

function timeless(line: Line | undefined): object {
  return { ...line, time: undefined }
}

interface Line {
  readonly msg: string
  readonly count?: number
  readonly time?: number
  readonly id?: string
  readonly status?: number
}

/** The lines that a process with a log writes. */
async function run(script: string): Promise<Line[]> {
  const code = `import { createLog, requestLog } from ${JSON.stringify(log)}
    const log = await createLog({ logLevel: 'info', logFormat: 'json' }, (last) => process.on('exit', last))
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}
