import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import t from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

t.test('docs/workarounds.md lists every workaround in the code, with the condition that ends it', (t) => {
  const inCode = ['src', 'emulator', 'scripts', 'bench'].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
      .map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
      .filter((file) => /\.m?[jt]s$/.test(file))
      .flatMap((file) =>
        [...readFileSync(`${root}${file}`, 'utf8').matchAll(/@until (.+?)(?: \*\/)?$/gm)].map(
          ([, condition]) => `${file}: ${condition}`,
        ),
      ),
  )
  const listed = [
    ...readFileSync(`${root}docs/workarounds.md`, 'utf8').matchAll(/^\| \[([^\]]+)\]\(\.\.\/\1\) \| (.+) \|$/gm),
  ].map(([, file, condition]) => `${file}: ${condition}`)
  t.ok(inCode.length > 5)
  t.same(listed.sort(), inCode.sort())
  t.end()
})
