/**
 * The benchmark: the throughput of the gateway on one core, compared with alternatives.
 * `npm run bench`, or `npm run bench -- --quick` in two and a half minutes; `--only throughput,bodies` takes
 * parts.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { measures } from './measure/measures.ts'
import { loader } from './setup/load.ts'
import { cores, folder, machine, stayOnLoadCore } from './setup/machine.ts'
import { programs } from './setup/peers.ts'
import { startService } from './setup/service.ts'

const {
  values: { quick, only },
} = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
})
const wanted = only?.split(',')

console.log(`${machine.cpu}, ${machine.cores} cores, Node.js ${machine.node}; load by ${loader}; files in ${folder}`)
if (cores.proxy === cores.load) {
  console.log('There is one core only: proxy and load share it, and the figures say little.')
}
stayOnLoadCore()
await startService()
for (const [name, path] of Object.entries(programs)) {
  if (path === undefined) console.log(`${name} is not installed and is left out: apt-get install ${name}`)
}

const results: Record<string, unknown> = {}
for (const { name, inQuick, measure } of measures) {
  if (wanted === undefined ? quick && !inQuick : !wanted.includes(name)) continue
  const result = await measure(quick)
  results[name] = result instanceof Map ? Object.fromEntries(result) : result
}

const file = join(import.meta.dirname, '../../bench/results', `${new Date().toISOString().replaceAll(':', '-')}.json`)
mkdirSync(join(file, '..'), { recursive: true })
writeFileSync(file, JSON.stringify({ machine, loader, quick, results }, undefined, 2))
console.log(`\nAll rounds: ${file}`)
console.log('The worst inputs, in CPU for each MB: node dist/bench/worst-inputs.js')
process.exit()
