import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

import t from 'tap'

import { usesColour } from '../../src/observe/log.ts'

const log = new URL('../../src/observe/log.js', import.meta.url).href

t.test('the last lines of a process that exits abruptly are written', async (t) => {
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

t.test('the last lines of a process that crashes are written', async (t) => {
  t.same(
    (await run('log.warn("before"); setImmediate(() => { throw new Error() })')).map(({ msg }) => msg),
    ['before'],
  )
})

t.test('thousands of lines in one turn of the event loop arrive completely and in order', async (t) => {
  const output = await run('for (let count = 0; count < 5000; count++) log.info({ count }, "line")')

  t.same(
    output.map(({ count }) => count),
    Array.from({ length: 5000 }, (_, count) => count),
  )
})

t.test('lines that are in progress at a crash come before the last ones', async (t) => {
  const script = 'for (let count = 0; count < 250; count++) log.info({ count }, "line"); throw new Error()'
  for (const output of await Promise.all(Array.from({ length: 12 }, () => run(script)))) {
    t.same(
      output.map(({ count }) => count),
      Array.from({ length: 250 }, (_, count) => count),
    )
  }
})

interface Line {
  readonly msg: string
  readonly count?: number
}

/** The lines that a process writes with this log. */
async function run(script: string): Promise<Line[]> {
  const code = `import { createLog } from ${JSON.stringify(log)}
    const log = createLog({ logLevel: 'info', logFormat: 'json' }, (last) => process.on('exit', last))
    ${script}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

t.test('colours are used on terminals only, unless NO_COLOR is set', async (t) => {
  t.equal(usesColour({ isTTY: true }, {}), true)
  t.equal(usesColour({ isTTY: true }, { NO_COLOR: '' }), true)
  t.equal(usesColour({ isTTY: true }, { NO_COLOR: '1' }), false)
  t.equal(usesColour({ isTTY: false }, {}), false)
})
