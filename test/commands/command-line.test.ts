import t from 'tap'
import type { Test } from 'tap'

import { main } from '../../src/commands/command-line.ts'

/** Runs the command line in this process, and returns its output. */
async function run(
  t: Test,
  ...words: string[]
): Promise<{ readonly status: number; readonly out: string; readonly err: string }> {
  const out = t.capture(process.stdout, 'write', () => true)
  const err = t.capture(process.stderr, 'write', () => true)
  const status = await main(words)
  const written = (calls: { args: unknown[] }[]): string => calls.map(({ args }) => String(args[0])).join('')
  const result = { status, out: written(out()), err: written(err()) }
  out.restore()
  err.restore()
  return result
}

t.test('prints its version and an overview', async (t) => {
  t.match(await run(t, '--version'), { status: 0, out: /^\d+\.\d+\.\d+\n$/ })
  t.match(await run(t, '-v'), { status: 0, out: /^\d+\.\d+\.\d+\n$/ })
  for (const words of [['--help'], ['-h'], ['help']]) {
    t.match(await run(t, ...words), { status: 0, out: /^dynamics-gateway .*Usage: .*serve .*check .*demo /s })
  }
})

t.test('explains each command', async (t) => {
  for (const name of ['serve', 'check', 'login', 'logout', 'consent', 'demo', 'key', 'healthcheck']) {
    t.match(await run(t, 'help', name), {
      status: 0,
      out: new RegExp(`^Usage: dynamics-gateway ${name}.*Exit status: `, 's'),
    })
    t.match(await run(t, name, '--help'), { status: 0, out: new RegExp(`^Usage: dynamics-gateway ${name}`) })
  }
})

t.test('suggests the nearest word for an unknown one', async (t) => {
  t.match(await run(t, 'srve'), { status: 1, err: /There is no command srve\. Did you mean serve\?/ })
  t.match(await run(t, 'help', 'chek'), { status: 1, err: /Did you mean check\?/ })
  t.match(await run(t, 'frobnicate'), { status: 1, err: /See dynamics-gateway --help/ })
  t.match(await run(t, 'check', '--usr', 'a@b.c'), {
    status: 1,
    err: /check does not accept --usr\. Did you mean --user\?/,
  })
  t.match(await run(t, 'check', '--user'), { status: 1, err: /^--user has a missing or an unexpected value/ })
  t.match(await run(t, 'serve', 'now'), { status: 1, err: /serve does not accept now/ })
  t.match(await run(t, 'login', '--port', 'x'), { status: 1, err: /--port must be a port number/ })
  t.match(await run(t, 'consent', '--port', '70000'), { status: 1, err: /--port must be a port number/ })
  t.match(await run(t, 'demo', '--fault', 'x'), { status: 1, err: /--fault must be an error code of Entra/ })
})

t.test('check --json also reports wrong options as JSON', async (t) => {
  const cases: [words: string[], error: RegExp][] = [
    [['--json', '--usr', 'a@b.c'], /^check does not accept --usr\. Did you mean --user\?$/],
    [['--usr=a@b.c', '--json'], /^check does not accept --usr=a@b\.c\. Did you mean --user\?$/],
    [['--json', '--user'], /^--user has a missing or an unexpected value/],
    [['--json', 'now'], /^check does not accept now\.$/],
    [['--json=yes'], /^--json has a missing or an unexpected value/],
  ]
  for (const [words, error] of cases) {
    const { status, out, err } = await run(t, 'check', ...words)
    t.equal(status, 1)
    t.equal(err, '')
    t.match(JSON.parse(out), { ok: false, error }, words.join(' '))
  }
  t.match(await run(t, 'check', '--', '--json'), { status: 1, out: '', err: /does not accept/ })
})

t.test('shows all configuration errors, for every command that reads settings', async (t) => {
  const folder = t.testdir({ 'gateway.yaml': 'port: 99999\ntargets:\n  - url: http://contoso.crm4.dynamics.com\n' })
  const file = `${folder}/gateway.yaml`

  for (const name of ['serve', 'check', 'login', 'logout', 'consent']) {
    const { status, err } = await run(t, name, '--config', file)
    t.equal(status, 1)
    t.match(err, /The settings have \d errors:.*port.*targets\[0\]\.url.*targets\[0\]\.credential\.kind/s)
  }
  t.match(await run(t, '--config', 'nowhere.yaml'), { status: 1, err: /nowhere\.yaml cannot be read \(ENOENT\)/ })
})

t.test('generates a key and its hash', async (t) => {
  t.match(await run(t, 'key'), { status: 0, out: /dgk_[\w-]{43}\n.*[0-9a-f]{64}\n/s })
})
