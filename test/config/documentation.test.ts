import { readdirSync, readFileSync } from 'node:fs'

import t from 'tap'

import { ALL_SETTINGS } from '../../src/config/all-settings.ts'
import { settingsAsMarkdown } from '../../src/config/documentation.ts'
import { credentialKinds } from '../../src/config/settings/credential.ts'
import { settingsByVariable } from '../support/settings-by-variable.ts'

const folder = new URL('../../../config/', import.meta.url)

t.test('config/README.md is printed from the schema: `npm run docs` updates it', async (t) => {
  t.equal(readFileSync(new URL('README.md', folder), 'utf8'), settingsAsMarkdown())
})

t.test('the page has a row for every setting', async (t) => {
  const rows = settingsAsMarkdown().split('\n')
  t.ok(
    rows.includes(
      '| `port` | `PORT` | The port to listen at; 0 for any that is free. Needs a restart. ' +
        '| a whole number from 0 to 65535 | `8080` |',
    ),
  )
  for (const [variable, { secret }] of settingsByVariable()) {
    t.ok(
      rows.some((row) => row.includes(`\`${variable}\``)),
      variable,
    )
    if (secret === true)
      t.ok(
        rows.some((row) => row.includes(`\`${variable}_FILE\``)),
        `${variable}_FILE`,
      )
  }
  for (const kind of Object.keys(credentialKinds)) {
    t.ok(rows.includes(`##### \`targets[].credential\` with \`kind: ${kind}\``), kind)
  }
})

t.test('every setting is used in the code', async (t) => {
  const src = new URL('../../../src/', import.meta.url)
  const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/config.settings\b/.test(file))
    .map((file) =>
      readFileSync(new URL(file.replaceAll('\\', '/'), src), 'utf8').replace(/^ *(?:\/\/|\*|\/\*\*).*$/gm, ''),
    )
    .join('\n')
  for (const { path } of ALL_SETTINGS) {
    const name = path.slice(path.lastIndexOf('.') + 1)
    t.ok(new RegExp(`\\b${name}\\b`).test(code), path)
  }
})

t.test('every setting has a description and a hint', async (t) => {
  for (const [variable, { description: about, hint: write }] of settingsByVariable()) {
    t.match(about, /^[A-Z`].*[.)]$/s, `${variable}: ${about}`)
    t.ok(write.length > 2, `${variable}: ${write}`)
  }
})
