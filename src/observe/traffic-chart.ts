import type { Traffic } from './activity.ts'

const CHART_HEIGHT_PX = 72
const BAR_WIDTH_PX = 10

/** The last 15 minutes as an SVG of bars: successes at the bottom, failures at the top. */
export function trafficChart(traffic: readonly Traffic[]): string {
  const all = { ok: 0, refused: 0, failed: 0 }
  let highest = 1
  for (const { ok, refused, failed } of traffic) {
    all.ok += ok
    all.refused += refused
    all.failed += failed
    highest = Math.max(highest, ok + refused + failed)
  }
  const bars = traffic.map((slot, index) => {
    let y = CHART_HEIGHT_PX
    return (['ok', 'refused', 'failed'] as const)
      .filter((kind) => slot[kind] > 0)
      .map((kind) => {
        const height = Math.max(1, Math.round((CHART_HEIGHT_PX * slot[kind]) / highest))
        y -= height
        return `<rect class="bar-${kind}" x="${index * BAR_WIDTH_PX}" y="${y}" width="${BAR_WIDTH_PX - 2}" height="${height}"/>`
      })
      .join('')
  })
  const sum = all.ok + all.refused + all.failed
  const words = `${sum.toLocaleString('en')} request${sum === 1 ? '' : 's'} in the last 15 minutes: ${all.refused} refused, ${all.failed} failed`
  const box = `0 0 ${traffic.length * BAR_WIDTH_PX} ${CHART_HEIGHT_PX}`
  return (
    `<svg viewBox="${box}" preserveAspectRatio="none" role="img" aria-label="${words}">${bars.join('')}</svg>` +
    `<div class="soft">${words}</div>`
  )
}
