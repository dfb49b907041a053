// Compares the adaptive limit with the best fixed one, on a simulated service with a simulated clock:
// `node dist/bench/concurrency/main.js`. Figures: docs/decisions/adaptive-concurrency.md.

import { adaptive, bestFixed, mean } from './compare.ts'
import type { Ratio } from './compare.ts'
import { SHAPES } from './service.ts'

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]
const STARTS = [1, 4, 20, 52]
const SPREADS = [0.25, 0.5]

for (const spread of SPREADS) {
  const conditions = { seeds: SEEDS, spread }
  console.log(`\nwork varies by a factor of ${Math.exp(spread).toFixed(2)} (one standard deviation)`)
  console.log('| service | best fixed | from any start: throughput, p95 | after a change: throughput, p95 |')
  console.log('|---|---|---|---|')
  for (const shape of SHAPES) {
    const best = bestFixed(shape, conditions)
    const starts = STARTS.map((start) => adaptive(shape, best, { start }, conditions))
    const changes = SHAPES.filter((before) => before !== shape).map((before) =>
      adaptive(shape, best, { before }, conditions),
    )
    console.log(`| ${shape.name} | ${best.limit} | ${inWords(starts)} | ${inWords(changes)} |`)
  }
}

/** The mean of the seeds over all cases, and of the worst case. */
function inWords(cases: readonly (readonly Ratio[])[]): string {
  const throughput = cases.map((ratios) => mean(ratios.map((ratio) => ratio.throughput)))
  const p95 = cases.map((ratios) => mean(ratios.map((ratio) => ratio.p95)))
  const worst = `worst case ${Math.min(...throughput).toFixed(2)}, ${Math.max(...p95).toFixed(2)}`
  return `${mean(throughput).toFixed(2)}, ${mean(p95).toFixed(2)} (${worst})`
}
