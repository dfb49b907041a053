import { join } from 'node:path'

import t from 'tap'

import { readSettingsFile } from '../../src/config/settings-file.ts'

const SECRET = 'Kx8~n0t.4-real_s3cret'

/** What is wrong with a file of this text, without its path. */
function faultsOf(t: { testdir: (files: Record<string, string | Buffer>) => string }, text: string | Buffer): string[] {
  const path = join(t.testdir({ 'gateway.yaml': text }), 'gateway.yaml')
  const faults: string[] = []
  readSettingsFile(path, faults)
  return faults.map((fault) => fault.replaceAll(path, 'FILE'))
}

t.test("says in the parser's words what is wrong, and where, of all that is wrong", async (t) => {
  t.match(faultsOf(t, 'port: 1\nport: 2\nhost: "x\n'), [
    /^FILE is neither JSON nor YAML \(line 2, column 1\): fix it there\. The parser says: Map keys must be unique\.$/,
    /^FILE .*\(line 4, column 1\).* The parser says: Missing closing "quote\.$/,
  ])
  t.match(faultsOf(t, 'targets:\n\t- url: x\n'), [/line 2, column 1.*Tabs are not allowed as indentation/])
  t.match(faultsOf(t, '{ "port": 1 "host": 2 }'), [/line 1.*Block collections are not allowed within flow collections/])
  t.match(faultsOf(t, 'a: 1\n---\nb: 2\n'), [/multiple documents/])
})

t.test('an unknown tag is a fault: its value is not what was meant', async (t) => {
  t.match(faultsOf(t, `port: !env ${SECRET}`), [/line 1, column 7.*Unresolved tag\.$/])
})

t.test("the parser's words come without what stands in the file", async (t) => {
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
    const faults = faultsOf(t, text)
    t.ok(faults.length > 0, text)
    t.notMatch(faults.join(), /Kx8|n0t|s3cret/, text)
  }
})

t.test('a file in UTF-16 is reported as UTF-16', async (t) => {
  for (const bytes of [
    Buffer.from('\uFEFFport: 1', 'utf16le'),
    Buffer.from('port: 1', 'utf16le'),
    Buffer.from([0x70, 0xe4]),
  ]) {
    t.match(faultsOf(t, bytes), [/^FILE is not written in UTF-8.*save it as UTF-8/])
  }
  t.same(faultsOf(t, '\uFEFFport: 1'), [])
})
