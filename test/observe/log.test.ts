import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'

import t from 'tap'

import { openAuditLog } from '../../src/observe/audit-log.ts'
import type { AuditLine } from '../../src/observe/audit-log.ts'
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

t.test('a full disk neither ends the process nor keeps it from its end', async (t) => {
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  for (const logFormat of ['json', 'pretty'] as const) {
    const code = `import { createLog } from ${JSON.stringify(log)}
      import { setTimeout as sleep } from 'node:timers/promises'
      const log = createLog({ logLevel: 'info', logFormat: '${logFormat}' }, (last) => process.on('exit', last))
      for (let count = 0; count < 3; count++) {
        log.info('line')
        await sleep(200)
      }
      log.info('the last line')
      console.error('goes on')`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', full, 'pipe'] })
    const ended = once(child, 'exit')
    t.equal((await text(child.stderr!)).trim(), 'goes on')
    t.equal((await ended)[0], 0)
  }
})

t.test('an audit log on a full disk can be closed', async (t) => {
  const [error] = await new Promise<readonly [NodeJS.ErrnoException, void]>((resolve) => {
    const auditLog = openAuditLog('/dev/full', (error) => resolve([error, auditLog.close()]))
    auditLog.write([{ method: 'POST' } as AuditLine])
  })
  t.equal(error.code, 'ENOSPC')
})

t.test('colours are used on terminals only, unless NO_COLOR is set', async (t) => {
  t.equal(usesColour({ isTTY: true }, {}), true)
  t.equal(usesColour({ isTTY: true }, { NO_COLOR: '' }), true)
  t.equal(usesColour({ isTTY: true }, { NO_COLOR: '1' }), false)
  t.equal(usesColour({ isTTY: false }, {}), false)
})
