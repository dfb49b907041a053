import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { pino } from 'pino'
import t from 'tap'

import { BadBatch, InternalFault } from '../../src/errors.ts'
import { causesOf, errorWord, loggedError } from '../../src/logging/logged-error.ts'
import { OwnError } from '../../src/logging/own-error.ts'
import { logOptions } from '../../src/observe/log.ts'

/** The error that `run` throws. */
function thrownBy(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

t.test('only listed fields of an error are logged', async (t) => {
  const carriers = [
    thrownBy(() => new URL('http://svc:Pw#1@127.0.0.1:3128')),
    thrownBy(() => JSON.parse('{"secret":Pw}')),
    thrownBy(() => new RegExp(String('(Pw'))),
    thrownBy(() => decodeURIComponent('%Pw')),
    thrownBy(() => Buffer.from({ Pw: 1 } as never)),
    Object.assign(new Error('Pw'), {
      code: 'Pw Pw',
      syscall: 'Pw/',
      address: 'http://Pw@',
      headers: ['Pw'],
      body: 'Pw',
    }),
    Object.assign(new Error('Pw\n    at Pw of (Pw'), { name: 'Pw: Pw' }),
    new AggregateError([new Error('Pw')], 'Pw', { cause: new Error('Pw', { cause: 'Pw' }) }),
  ]
  for (const error of carriers) {
    t.notMatch(JSON.stringify(loggedError(error)), 'Pw')
    t.notMatch(causesOf(new Error('x', { cause: error })).join(), 'Pw')
  }
  t.same(loggedError('Pw'), { type: 'string' })
  t.same(loggedError(undefined), { type: 'undefined' })
})

t.test('the fields that help an operator are logged', async (t) => {
  const socket = connect(9, '127.0.0.1')
  const [refused] = (await once(socket, 'error')) as [Error]
  t.same(loggedError(refused), { type: 'Error', code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1:9' })
  t.same(causesOf(new InternalFault({ cause: refused })), ['ECONNREFUSED: connect 127.0.0.1:9'])
  t.same(loggedError(new OwnError('The proxy hung up.', { cause: refused })), {
    type: 'Error',
    message: 'The proxy hung up.',
    cause: loggedError(refused),
  })
  t.match(loggedError(new BadBatch('it is empty.')), { code: 'GATEWAY_BAD_BATCH', message: /it is empty/ })

  const bug = thrownBy(() => (undefined as unknown as { x: () => void }).x())
  t.match(
    loggedError(bug),
    { type: 'TypeError', at: [/^at .*logged-error\.test\.[jt]s:\d+/] },
    'the position of a bug in the gateway',
  )
  t.match(causesOf(new InternalFault({ cause: bug })), [/^TypeError at [^]*logged-error\.test\.[jt]s:\d+/])

  const both = new AggregateError([
    Object.assign(new Error('x'), { code: 'ECONNREFUSED', address: '::1', port: 443 }),
    Object.assign(new Error('x'), { code: 'ETIMEDOUT', address: '10.0.0.1', port: 443 }),
  ])
  t.same(causesOf(new Error('x', { cause: Object.assign(both, { code: 'ECONNREFUSED' }) })), [
    'ECONNREFUSED: [::1]:443, 10.0.0.1:443',
  ])
})

t.test('a circular chain of causes is cut', async (t) => {
  const error = new OwnError('one')
  error.cause = error
  t.equal(causesOf(error).length, 5)
})

t.test('an error at any position of a log line becomes a list of fields', async (t) => {
  let written = ''
  const log = pino(
    logOptions('trace'),
    new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk)
        done()
      },
    }),
  )
  const error = thrownBy(() => new URL('http://svc:Pw#1@127.0.0.1:3128'))
  log.warn({ err: error, cause: error, target: 'sales' }, 'sentence')
  log.error(error)
  log.error(error, 'with a sentence')
  log.error({ err: error })
  log.info({ target: 'sales' }, 'nothing failed')

  const lines = written
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(lines, [
    {
      level: 'warn',
      err: { code: 'ERR_INVALID_URL' },
      cause: { code: 'ERR_INVALID_URL' },
      target: 'sales',
      msg: 'sentence',
    },
    { level: 'error', err: { code: 'ERR_INVALID_URL' }, msg: 'something failed' },
    { err: { code: 'ERR_INVALID_URL' }, msg: 'with a sentence' },
    { err: { code: 'ERR_INVALID_URL' }, msg: 'something failed' },
    { target: 'sales', msg: 'nothing failed' },
  ])
  t.notMatch(written, 'Pw')
})

t.test('an uncaught error ends the process, and is also printed as a list of fields', async (t) => {
  const guard = new URL('../../src/commands/serve/process-guard.js', import.meta.url).href
  for (const how of ['setTimeout(fail)', 'Promise.reject().catch(fail)', 'await Promise.reject().catch(fail)']) {
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `
      import { guardProcess } from '${guard}'
      guardProcess()
      process.on('exit', () => process.stdout.write('last lines'))
      const fail = () => new URL('http://svc:Pw#1@127.0.0.1:3128')
      ${how}
    `,
      ],
      { encoding: 'utf8' },
    )
    t.equal(status, 1, how)
    t.match(stderr, /dynamics-gateway ends.*ERR_INVALID_URL/)
    t.notMatch(stderr, 'Pw')
    t.equal(stdout, 'last lines')
  }
})

t.test('no file of the gateway prints an error itself', async (t) => {
  const root = fileURLToPath(new URL('../../../src/', import.meta.url))
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/^emulator|process-guard/.test(file),
  )
  t.ok(files.length > 100)
  for (const file of files) {
    const source = readFileSync(`${root}${file}`, 'utf8')
    t.notMatch(source, /\bconsole\.|'node:util'.*\binspect|\binspect\(/, file)
    if (!file.endsWith('logged-error.ts')) t.notMatch(source, /\.stack\b/, file)
  }
})

t.test('errors with numbers, without ports, and without a stack that shows the message', async (t) => {
  t.match(loggedError(Object.assign(new Error('x'), { code: 7 })), { code: '7' })
  t.equal(errorWord(Object.assign(new Error('x'), { name: 'TimeoutError' })), 'TimeoutError')
  t.equal(errorWord(new Error('x', { cause: Object.assign(new Error('y'), { code: 'EPIPE' }) })), 'EPIPE')
  t.match(loggedError(Object.assign(new Error('x'), { address: '127.0.0.1' })), { address: '127.0.0.1' })
  const changed = new Error('zzz')
  changed.stack = 'Error: before\n    at run (file.js:1:1)'
  t.equal(loggedError(changed).at, undefined)
  const elsewhere = new Error('x')
  elsewhere.stack = 'Error: x\n    somewhere'
  t.equal(loggedError(elsewhere).at, undefined)
})
