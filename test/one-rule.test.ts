import { readFileSync, readdirSync } from 'node:fs'

import t from 'tap'

/** A rule, a pattern that finds it in the code, and the only files that may contain it. */
const RULES: readonly (readonly [rule: string, pattern: RegExp, files: readonly string[]])[] = [
  ['reading Retry-After', /Date\.parse\(text\)|retry-?after\W.*(?:\* 1000|\* 1_000)/i, ['outbound/retry-after.ts']],
  ['undoing a content coding', /node:zlib/, ['outbound/content-coding.ts']],
  ['finding a header of a response', /toString\('latin1'\)\.toLowerCase\(\)/, ['outbound/raw-headers.ts']],
  ['what is loopback', /127\\\.|===? '(?:::1|\[::1\]|127\.0\.0\.1)'/, ['odata/loopback.ts']],
  ['the methods of the Web API', /'GET', 'HEAD', |'PATCH', 'PUT'|'PUT', 'PATCH'|GET\|HEAD\|POST/, ['odata/methods.ts']],
  ['what is a $batch', /(?:\\\$|24\))batch|(?:endsWith|includes|===) ?\(?'\/?\$batch/, ['odata/batch-path.ts']],
  ['what is a GUID', /(?<!0x)\[0-9a-f-?\]\{(?:8|36)\}/i, ['odata/guid.ts']],
  ['which dot segments a path may not have', /%2e/i, ['odata/resource-path.ts']],
  ['hop-by-hop headers', /'proxy-connection'/, ['odata/hop-by-hop.ts']],
  [
    'the part of the logger that is used',
    /interface Log\b|\[level in 'debug'|readonly (?:warn|info): \(/,
    ['logging/logger.ts'],
  ],
  ['which variable a name misspells', /closest-word\.ts'/, ['config/misspelt-variable.ts']],
  ['one listener of a cancellation', /onCancel\b/, []],
]

/** Files that contain a pattern with another meaning. */
const OTHER_MEANING: Readonly<Record<string, string>> = {
  'odata/resource-path.ts what is a $batch': 'refuses what only resembles a $batch',
  'config/cross-checks.ts what is loopback': 'whether a setting has its default',
  'config/suggest-key.ts which variable a name misspells': 'keys of a settings file',
  'config/read-node.ts which variable a name misspells': 'kinds of a setting',
  'config/rule.ts which variable a name misspells': 'presets',
  'commands/command-line.ts which variable a name misspells': 'commands and their options',
  'config/placeholders.ts what is a GUID': 'a placeholder in braces, which is not a GUID',
}

/** The code of each file, without comments. */
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({
    file: file.replaceAll('\\', '/'),
    code: readFileSync(`src/${file}`, 'utf8').replace(/\/\*\*[^]*?\*\/|^\s*\/\/.*$/gm, ''),
  }))

for (const [rule, pattern, files] of RULES) {
  t.test(`one place decides: ${rule}`, async (t) => {
    const holding = sources.filter(({ code }) => pattern.test(code)).map(({ file }) => file)

    t.same(
      holding.filter((file) => OTHER_MEANING[`${file} ${rule}`] === undefined).toSorted(),
      files.toSorted(),
      'import the rule from there',
    )
  })
}

t.test('each exception is needed', async (t) => {
  for (const exception of Object.keys(OTHER_MEANING)) {
    const [file, ...rule] = exception.split(' ')
    const [, pattern] = RULES.find(([name]) => name === rule.join(' '))!
    t.match(sources.find((source) => source.file === file)?.code, pattern, exception)
  }
})
