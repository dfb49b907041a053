import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import t from 'tap'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = readFileSync(`${root}SECURITY.md`, 'utf8')

t.test('every defence of the threat model names a test that is there', (t) => {
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
      const source = readFileSync(`${root}${file}`, 'utf8').replaceAll("\\'", "'")
      const found = ["'", '"'].some((quote) => source.includes(`t.test(${quote}${name}${quote}`))
      t.ok(found, `${file}: ${name}`)
    }
  }
  t.end()
})

t.test('the number of dependencies is the true one', (t) => {
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
