import { readFileSync, readdirSync } from 'node:fs'

import t from 'tap'

/** Phrases that a technical writer does not use, and the usual words. */
const PHRASES: readonly (readonly [pattern: RegExp, write: string])[] = [
  [/\bmend(?:s|ed|ing)?\b/i, 'fix'],
  [/\banew\b|\bonce more\b/i, 'again'],
  [/\bof late\b/i, 'recently'],
  [/(?<!\b[Tt]here )\b(?:is|are) no (?!longer\b|more\b|other\b|kind\b)[a-z]/, 'is not a'],
  [/\bgives back\b|\bgive back\b/i, 'return, release'],
  [/\blets go of\b|\blet go of\b/i, 'release, discard'],
  [/\bfares\b/i, 'the state of'],
  [/\bstands? (?:in parentheses|in its stead|below the|before the)\b/i, 'is'],
  [/\b(?:is|are|was|were) told to go on\b/i, '100 Continue'],
  [/\bin small letters\b/i, 'in lower case'],
  [/\bturn(?:s|ed)? (?:inward|outward)\b/i, 'rewrite'],
  [/\bfor ever\b/i, 'forever'],
  [/\bas ever\b/i, 'as always'],
  [/\bin vain\b/i, 'without success'],
  [/\bhangs? up\b/i, 'close the connection'],
  [/\b(?:comes?|came) by (?:a|its|their|the)\b/i, 'get'],
  [/\bplaces? at Dynamics\b/i, 'slot'],
  [/\blook-ups?\b/i, 'lookup'],
  [/\b(?:who waits|those who wait)\b/i, 'a waiting request'],
  [/\bwhat stands\b/i, 'the text, the path'],
  [/\bsays Dynamics\b/i, 'as reported by Dynamics'],
  [/\bso (?:many|few) (?:bytes|requests|rows|slots|users)\b/i, 'the number of'],
]

/** Texts in which a phrase means something else. */
const OTHER_MEANING = /“[^”]*”|`[^`]*`/g

const files = [
  ...['src', 'emulator', 'docs', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:ts|mjs|md)$/.test(file))
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
  ),
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'config/README.md',
]

for (const [pattern, write] of PHRASES) {
  t.test(`the usual words: ${write}`, async (t) => {
    const found = files.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .flatMap((line, index) =>
          pattern.test(line.replace(OTHER_MEANING, '')) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
        ),
    )
    t.same(found, [], `write “${write}” in place of ${pattern}`)
  })
}
