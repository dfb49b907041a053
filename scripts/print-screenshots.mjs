// Takes the screenshots of the status page and the inspector (docs/images/*.png) of a demo, in seven minutes.
// Needs Chromium: Debian's, or where the variable CHROMIUM says. `node print-screenshots.mjs [SECONDS]`
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('..', import.meta.url))
const seconds = Number(process.argv[2] ?? 420)

const demo = spawn(process.execPath, ['dist/bundle/gateway.js', 'demo', '--port', '0'], { cwd: root })
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
try {
  const link = await inspectorLink()
  const { origin } = new URL(link)
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    await traffic(origin)
    await sleep(3000 + 6000 * Math.random())
  }
  const page = await browser.newPage({ viewport: { width: 1120, height: 660 }, locale: 'en-GB' })
  await page.goto(link)
  await page.waitForSelector('#live.on')
  await page.locator('.row', { hasText: 'GATEWAY_USER_UNKNOWN' }).first().click()
  await page.waitForSelector('.why .fix')
  await page.screenshot({ path: `${root}docs/images/inspector.png` })
  await page.setViewportSize({ width: 1120, height: 520 })
  await page.goto(`${origin}/-/`)
  await page.screenshot({ path: `${root}docs/images/status-page.png` })
} finally {
  await browser.close()
  demo.kill()
}

/** The link that the demo prints. */
async function inspectorLink() {
  let printed = ''
  for (;;) {
    printed += String((await once(demo.stdout, 'data'))[0])
    const [link] = /http:\S+\/-\/inspector\?token=\S+/.exec(printed) ?? []
    if (link !== undefined) return link
  }
}

/** Requests of many kinds; one of them names a user whom nobody has looked up before. */
async function traffic(origin) {
  const adele = { 'x-user-email': 'adele.vance@contoso.com' }
  const json = { 'content-type': 'application/json' }
  const requests = [
    ['/accounts?$select=name,revenue&$top=3'],
    ['/contacts?$select=fullname', { headers: { ...adele, accept: 'application/x-ndjson' } }],
    ['/accounts(00000000-0000-4000-8000-000000000000)', { headers: adele }],
    ['/accounts', { method: 'POST', headers: { ...adele, ...json }, body: '{"name":"Fabrikam Rockets"}' }],
    ['/EntityDefinitions?$select=LogicalName'],
    ['/contacts?$filter=startswith(fullname,%27A%27)&$top=5', { headers: adele }],
    ['/WhoAmI', { headers: adele }],
    ['/WhoAmI', { headers: { 'x-user-email': `nobody-${Date.now()}@contoso.com` } }],
    ['/accounts?$top=1', { headers: adele }],
  ]
  for (const [path, init] of requests) await (await fetch(origin + path, init)).text()
}
