import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import t from 'tap'

import { inspectionErrors, splitNodeOptions } from '../../../src/commands/serve/process-guard.ts'

const main = fileURLToPath(new URL('../../../src/main.js', import.meta.url))

t.test('SIGUSR1 does not open the inspector, and SIGUSR2 does not end the process', async (t) => {
  // Anyone who may send the signal would get a port that exposes every secret.
  const gateway = spawn(process.execPath, [main, 'demo'], {
    env: { PATH: process.env['PATH'], PORT: '0', LOG_FORMAT: 'json' },
  })
  t.teardown(() => gateway.kill('SIGKILL'))
  let said = ''
  gateway.stderr.on('data', (chunk) => {
    said += String(chunk)
  })
  const url = await new Promise<string>((resolve) => {
    let printed = ''
    gateway.stdout.on('data', (chunk) => {
      printed += String(chunk)
      const [found] = /http:\/\/(?:127\.0\.0\.1|localhost):\d+/.exec(printed) ?? []
      if (found !== undefined) resolve(found)
    })
  })

  gateway.kill('SIGUSR1')
  gateway.kill('SIGUSR2')

  for (let attempt = 0; attempt < 5; attempt += 1) t.equal((await fetch(`${url}/-/livez`)).status, 200)
  t.notMatch(said, /debugger/i)
  gateway.kill('SIGTERM')
  t.same(await once(gateway, 'exit'), [0, null])
})

t.test('does not start while the inspector is open', async (t) => {
  const env = {
    PATH: process.env['PATH'],
    DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
    CREDENTIAL: 'managed-identity',
    PORT: '0',
  }
  const gateway = spawn(process.execPath, ['--inspect=127.0.0.1:0', main, 'serve'], { env })
  let said = ''
  gateway.stderr.on('data', (chunk) => {
    said += String(chunk)
  })

  t.same(await once(gateway, 'close'), [1, null])
  t.match(said, /ALLOW_INSPECT=true/)
})

t.test('options that expose the memory are errors, unless they are allowed', (t) => {
  for (const option of [
    '--inspect',
    '--inspect-brk',
    '--inspect=0',
    '--inspect-wait',
    '--heapsnapshot-signal=SIGUSR2',
    '--heapsnapshot-near-heap-limit=1',
    '--abort-on-uncaught-exception',
  ]) {
    t.equal(inspectionErrors({ allowInspect: false }, [option]).length, 1, option)
    t.same(inspectionErrors({ allowInspect: true }, [option]), [], option)
  }
  t.same(inspectionErrors({ allowInspect: false }, ['--inspect-port=9229', '--max-old-space-size=100', '']), [])
  t.end()
})

t.test('no option is reported without NODE_OPTIONS', (t) => {
  const options = process.env['NODE_OPTIONS']
  t.teardown(() => {
    if (options !== undefined) process.env['NODE_OPTIONS'] = options
  })
  delete process.env['NODE_OPTIONS']
  t.same(inspectionErrors({ allowInspect: false }), [])
  t.end()
})

t.test('options in NODE_OPTIONS are found with and without quotes', async (t) => {
  for (const [written, read] of [
    ['', []],
    [' --a  --b=c\t--d ', ['--a', '--b=c', '--d']],
    ['"--inspect"', ['--inspect']],
    ['--in"spect=0.0.0.0:1"', ['--inspect=0.0.0.0:1']],
    ['"--import=file:///a b.mjs" --c', ['--import=file:///a b.mjs', '--c']],
    ['"--title=a \\"b\\" \\\\" --c', ['--title=a "b" \\', '--c']],
    ['"--inspect', ['--inspect']],
  ] as const) {
    t.same(splitNodeOptions(written), read, written)
  }
  t.match(inspectionErrors({ allowInspect: false }, splitNodeOptions('"--heapsnapshot-near-heap-limit=1"')), [
    /^--heapsnapshot-near-heap-limit=1 writes the memory/,
  ])
})
