import t from 'tap'

import { readDotEnv } from '../../src/config/dot-env.ts'

t.test('a variable with two values is an error that does not show them', async (t) => {
  t.same(readDotEnv('A=1\nB=3\nexport A: "2"\nB=3').errors, [
    'line 3 sets A to another value than line 1: remove one of the two.',
  ])
})

t.test('variables are read in every usual notation', async (t) => {
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
    ["A='line\\nline'", { A: 'line\\nline' }],
    ['A="say \\"1\\""', { A: 'say "1"' }],
    ['A="-----BEGIN\nabc\n-----END"\nB=2', { A: '-----BEGIN\nabc\n-----END', B: '2' }],
    ["A=it's\nB=2", { A: "it's", B: '2' }],
    ['A="open\nB=2', { A: '"open', B: '2' }],
    ["A='open\nB='2'", { A: "'open", B: '2' }],
    ['A=1\nA=1', { A: '1' }],
    ['a.b-c_1=1', { 'a.b-c_1': '1' }],
  ] as const) {
    const read = readDotEnv(text)
    t.same([read.variables, read.errors], [variables, []], JSON.stringify(text))
  }
})

t.test('a colon is accepted in place of =, as in Docker Compose', async (t) => {
  t.same(readDotEnv('IMPERSONATION: required\nPORT:9000\nA : "x"').variables, {
    IMPERSONATION: 'required',
    PORT: '9000',
    A: 'x',
  })
})

t.test('comments and empty lines are ignored', async (t) => {
  for (const text of ['', '\n\n', '# A=1', '\n# one\n# A=1\n', '  # A=1', '#A=1', ' \t\r\n']) {
    const { variables, errors } = readDotEnv(text)
    t.same([variables, errors], [{}, []], JSON.stringify(text))
  }
})

t.test('a line that is not a variable is an error with its number, and the other lines apply', async (t) => {
  for (const line of [
    'A',
    'export A',
    '1A=1',
    '=1',
    '-A=1',
    'set A=1',
    'SET A=1',
    '- A=1',
    '$env:A=1',
    'A 1',
    'let A=1',
    'A B=1',
    '{',
    'A\u00A0=1',
    '\u00A0A=1',
    'A\u200B=1',
    '\u201CA\u201D=1',
    '$A=1',
    'A->1',
  ]) {
    const { variables, errors } = readDotEnv(`B=1\n# one\n${line}\nC=2\n`)
    t.same(variables, { B: '1', C: '2' }, JSON.stringify(line))
    t.match(errors, [/^line 3 .*write/], JSON.stringify(line))
    t.notMatch(errors.join(), /A->|201C/, 'the content of the line is not repeated')
  }
})

t.test('lines are counted across multi-line values, and consecutive wrong lines are one error', async (t) => {
  const { errors, lines } = readDotEnv('A="1\n2\n3"\r\nB\n-----BEGIN KEY-----\nabc/+\n-----END KEY-----\nC=1')
  t.match(errors, [/^line 4 names a variable without a value/, /^each of the lines 5 to 7 is not a variable/])
  t.same(
    [...lines],
    [
      ['A', 1],
      ['C', 8],
    ],
  )
})

t.test('a value that a comment truncates is detected, unless it is in quotes', async (t) => {
  const { cut } = readDotEnv('A=ab #cd\nB="ab" # cd\nC=ab#cd\nD=ab #cd\nD="ab #cd"\nE= # cd')
  t.same([...cut], ['A'])
})

t.test('the time for a long line is linear in its length', async (t) => {
  const spaces = ' '.repeat(100_000)
  t.same(readDotEnv(`A=${spaces}x\n${spaces}B=1\n"${'\\'.repeat(50_001)}`).variables, { A: 'x', B: '1' })
})
