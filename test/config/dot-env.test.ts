import t from 'tap'

import { parseDotEnv } from '../../src/config/dot-env.ts'

t.test('variables are read as people write them', async t => {
  for (const [text, variables] of [
    ['A=1', { A: '1' }],
    ['A=1\nB=2\n', { A: '1', B: '2' }],
    ['\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
    ['  export A = 1  ', { A: '1' }],
    ['A=', { A: '' }],
    ['A=\nB=2', { A: '', B: '2' }],
    ['A=a b c', { A: 'a b c' }],
    [
      'A=https://contoso.crm4.dynamics.com/main.aspx?a=b&c=d',
      { A: 'https://contoso.crm4.dynamics.com/main.aspx?a=b&c=d' },
    ],
    ['A=s3~cr#et', { A: 's3~cr#et' }],
    ['A=1 # one', { A: '1' }],
    ['A="1 # one" # two', { A: '1 # one' }],
    ['A=\'it is "1"\'', { A: 'it is "1"' }],
    ['A=`it\'s "1"`', { A: 'it\'s "1"' }],
    ['A="line\\nline"', { A: 'line\nline' }],
    ['A=\'line\\nline\'', { A: 'line\\nline' }],
    ['A="say \\"1\\""', { A: 'say "1"' }],
    ['A="-----BEGIN\nabc\n-----END"\nB=2', { A: '-----BEGIN\nabc\n-----END', B: '2' }],
    ['A=it\'s\nB=2', { A: 'it\'s', B: '2' }],
    ['A="open\nB=2', { A: '"open', B: '2' }],
    ['A=\'open\nB=\'2\'', { A: '\'open', B: '2' }],
    ['A=1\nA=2', { A: '2' }],
    ['a.b-c_1=1', { 'a.b-c_1': '1' }],
  ] as const) t.same(parseDotEnv(text), variables, JSON.stringify(text))
})

t.test('comments and what is no variable count for nothing', async t => {
  for (const text of ['', '\n\n', '# A=1', '\n# one\n# A=1\n', '  # A=1', '#A=1', 'A', 'A: 1', '1A=1', '=1', '-A=1']) {
    t.same(parseDotEnv(text), {}, JSON.stringify(text))
  }
})

t.test('long lines cost no more than they are long', async t => {
  const spaces = ' '.repeat(100_000)
  t.same(parseDotEnv(`A=${spaces}x\n${spaces}B=1\n"${'\\'.repeat(50_001)}`), { A: 'x', B: '1' })
})
