import { spawnSync } from 'node:child_process'

import t from 'tap'

import { curlLine, quoted } from '../../../src/observe/inspector/curl.ts'

/** The words of a line as a shell parses them. */
function wordsOf(line: string): string[] {
  const script = `curl() { for word; do printf '%s\\0' "$word"; done; }\n${line}\n`
  const { stdout, stderr, status } = spawnSync('sh', ['-c', script], { encoding: 'utf8', cwd: '/' })
  t.equal(stderr, '')
  t.equal(status, 0)
  return stdout.split('\0').slice(0, -1)
}

const HOSTILE = [
  "'; touch /tmp/owned; '",
  '$(touch /tmp/owned)',
  '`id`',
  '"$HOME" ${IFS} $((1+1)) !! !$ ~ * ? [a-z] {a,b}',
  'a\\\nb\\',
  '-o/tmp/owned',
  '@/etc/passwd',
  '#; && || | > < &',
  '{"name":"O\'Reilly","text":"one\ntwo"}',
  "''''",
  'ünïcödé 日本',
]

t.test('a shell reads each hostile value as one word, unchanged', async (t) => {
  for (const value of HOSTILE) {
    const words = wordsOf(
      curlLine({ method: value, url: `http://127.0.0.1/${value}`, headers: [['Prefer', value]], body: value }),
    )
    t.same(words, [
      '--request',
      value,
      '--globoff',
      '--path-as-is',
      '--url',
      `http://127.0.0.1/${value}`,
      '--header',
      `Prefer: ${value}`,
      '--data-raw',
      value,
    ])
  }
})

t.test('the command contains no control characters that a terminal would execute when pasted', async (t) => {
  for (const code of [0, 3, 4, 8, 9, 13, 27, 127, 0x85, 0x9b, 0x202e, 0x2028]) {
    const word = quoted(`a${String.fromCharCode(code)}b`)
    t.equal(word, code === 13 ? "'a\nb'" : "'a?b'", String(code))
  }
})

t.test('a GET needs no method, and a HEAD its own option', async (t) => {
  const url = 'http://127.0.0.1:8080/accounts?$top=3'
  const line = { url, headers: [], body: undefined }
  t.equal(curlLine({ ...line, method: 'GET' }), `curl --globoff --path-as-is --url '${url}'`)
  t.equal(curlLine({ ...line, method: 'HEAD' }), `curl --head --globoff --path-as-is --url '${url}'`)
})
