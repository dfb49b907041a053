import { join } from 'node:path'

import t from 'tap'

import { readSettingsFile } from '../../src/config/settings-file.ts'

const SECRET = 'Kx8~n0t.4-real_s3cret'

/** The errors in a settings file with this text, without its path. */
function errorsOf(t: { testdir: (files: Record<string, string | Buffer>) => string }, text: string | Buffer): string[] {
  const path = join(t.testdir({ 'gateway.yaml': text }), 'gateway.yaml')
  const errors: string[] = []
  readSettingsFile(path, errors)
  return errors.map((error) => error.replaceAll(path, 'FILE'))
}

t.test('reports every error of the YAML parser with its position', async (t) => {
  t.match(errorsOf(t, 'port: 1\nport: 2\nhost: "x\n'), [
    /^FILE is neither JSON nor YAML \(line 2, column 1\): fix it there\. The parser says: Map keys must be unique\.$/,
    /^FILE .*\(line 4, column 1\).* The parser says: Missing closing "quote\.$/,
  ])
  t.match(errorsOf(t, 'targets:\n\t- url: x\n'), [/line 2, column 1.*Tabs are not allowed as indentation/])
  t.match(errorsOf(t, '{ "port": 1 "host": 2 }'), [/line 1.*Block collections are not allowed within flow collections/])
  t.match(errorsOf(t, 'a: 1\n---\nb: 2\n'), [/multiple documents/])
})

t.test('an unknown tag is an error, because its value is not the intended one', async (t) => {
  t.match(errorsOf(t, `port: !env ${SECRET}`), [/line 1, column 7.*Unresolved tag\.$/])
})

t.test("the parser's messages come without the content of the file", async (t) => {
  for (const text of [
    `a: *${SECRET}`,
    `a: !${SECRET} 1`,
    `a: |${SECRET}\n b`,
    `a: "\\${SECRET}"`,
    `a: b: ${SECRET}: c`,
    `{ a: ${SECRET}`,
    `a: @${SECRET}`,
    `a: "x" ${SECRET}`,
    `%${SECRET} x\n---\na: 1`,
    `[${SECRET}`,
    `a: '${SECRET}`,
    `a: &${SECRET} *${SECRET}`,
    `a: %${SECRET}`,
    `a: \`${SECRET}`,
    `- ${SECRET}\nb: 1`,
    `a: >${SECRET}`,
    `a: "\\x${SECRET}"`,
  ]) {
    const errors = errorsOf(t, text)
    t.ok(errors.length > 0, text)
    t.notMatch(errors.join(), /Kx8|n0t|s3cret/, text)
  }
})

t.test('a file in UTF-16 is reported as UTF-16', async (t) => {
  for (const bytes of [
    Buffer.from('\uFEFFport: 1', 'utf16le'),
    Buffer.from('port: 1', 'utf16le'),
    Buffer.from([0x70, 0xe4]),
  ]) {
    t.match(errorsOf(t, bytes), [/^FILE is not written in UTF-8.*save it as UTF-8/])
  }
  t.same(errorsOf(t, '\uFEFFport: 1'), [])
})
