import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import t from 'tap'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = readFileSync(`${root}SECURITY.md`, 'utf8')

t.test('every defence in the threat model names an existing test', (t) => {
  const rows = page
    .split('\n')
    .filter((line) => /^\| [^-]/.test(line) && line.split('|').length === 7 && !/^\| (asset|all) \|/.test(line))
  t.ok(rows.length > 25)
  for (const row of rows) {
    const named = [
      ...row.slice(row.lastIndexOf(' | ')).matchAll(/\[[\w-]+\]\((test\/[\w/.-]+)\) “([^”]+)”(?:, | \|$)/g),
    ]
    t.ok(named.length > 0, row.slice(0, 80))
    for (const [, file, name] of named) {
      t.ok(
        testNames(readFileSync(`${root}${file}`, 'utf8')).some((known) => known.test(name!)),
        `${file}: ${name}`,
      )
    }
  }
  t.end()
})

t.test('the number of dependencies is correct', (t) => {
  const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
    packages: Record<
      string,
      {
        dev?: boolean
        devOptional?: boolean
        hasInstallScript?: boolean
        dependencies?: object
      }
    >
  }
  const inside = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
  )
  t.match(page, `${Object.keys(packages['']!.dependencies!).length} direct dependencies, ${inside.length} packages`)
  t.same(
    inside.filter(([, { hasInstallScript }]) => hasInstallScript === true),
    [],
  )
  t.end()
})

/** The names of the tests in `source`; what a template fills in may be anything. */
function testNames(source: string): RegExp[] {
  return [...source.matchAll(/\bt\.test\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, quote, written]) => {
    const name = written!.replace(/\\(.)/g, '$1')
    const literal = quote === '`' ? name.split(/\$\{[^}]*\}/) : [name]
    return new RegExp(`^${literal.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)
  })
}
