import t from 'tap'

import { startEmulator } from '../../emulator/emulator.ts'
import { LOW_CONTRAST_TEXTS, noChromium, openChromium } from '../support/chromium.ts'
import { gatewayForEmulator, gatewayFor, gatewayWithFile } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

const skip = noChromium

t.test('the status page has a card for each target, and refreshes itself without a script', async (t) => {
  const { url } = await gatewayWithFile(t, (credential) => ({
    targets: ['sales', 'service'].map((name) => ({ name, url: 'https://contoso.crm4.dynamics.com', credential })),
  }))
  await (await fetch(`${url}/sales/accounts?$top=1`)).arrayBuffer()
  const response = await fetch(`${url}/-/`)
  const page = await response.text()

  t.match(response.headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-[^']+';/)
  t.match(page, /<meta http-equiv="refresh" content="10">/)
  t.notMatch(page, /<script|href="\/-\/inspector"/)
  const [sales, service] = page.split('<section').slice(1)
  t.match(sales, /<strong>sales<\/strong>.*healthy/)
  t.match(sales, '1 request in the last 15 minutes: 0 refused, 0 failed')
  t.match(service, '0 requests in the last 15 minutes')
})

t.test('the card shows limits and the last error with its fix, and nothing that callers wrote', async (t) => {
  const { url, emulator } = await gatewayFor(t, { MAX_RETRY_WAIT: '0s', INSPECTOR: 'true' })
  emulator.faults.dataverse.push({ kind: 'throttle', limit: 'count', retryAfter: 1 })
  await (await fetch(`${url}/contacts(lastname='Sycamore')?$filter=Sycamore`)).arrayBuffer()
  const throttled = await (await fetch(`${url}/-/`)).text()
  t.match(throttled, '1× number of requests</span> in the last 5 minutes')
  t.match(throttled, 'href="/-/inspector"')
  t.notMatch(throttled, 'Sycamore')
})

t.test('the card shows whether users are preloaded, and if not, why', async (t) => {
  const { url, emulator } = await gatewayFor(t, { USERS_PRELOAD: 'true' })
  await until(async () => /Preloading<\/dt><dd>all users are in memory/.test(await page(url)))
  const before = emulator.received.length
  const answer = await fetch(`${url}/WhoAmI`, { headers: { 'x-user-email': 'adele.vance@contoso.com' } })
  t.equal(answer.status, 200)
  t.equal(emulator.received.length, before + 1, 'no lookup')
  t.match(await (await fetch(`${url}/-/metrics`)).text(), /gateway_users_known\{[^}]*\} 1\d\d/)

  const refusing = await startEmulator()
  refusing.switches.untracked = ['systemusers']
  const { url: second } = await gatewayForEmulator(t, refusing, { USERS_PRELOAD: 'true' })
  await until(async () => /one by one: change tracking is switched off/.test(await page(second)))
  const { url: third } = await gatewayFor(t)
  t.notMatch(await page(third), /Preloading/)

  async function page(of: string): Promise<string> {
    return (await fetch(`${of}/-/`)).text()
  }
})

t.test('a refused credential is explained on the card', async (t) => {
  const { url, emulator } = await gatewayFor(t)
  emulator.faults.entra.always({ kind: 'aadsts', number: 7_000_222 })
  const { url: second } = await gatewayFor(t, { AZURE_CLIENT_SECRET: 'wrong' })
  await (await fetch(`${second}/WhoAmI`)).arrayBuffer()
  const page = await (await fetch(`${second}/-/`)).text()
  t.match(page, /no access token/)
  t.match(page, /Last fault, \d+ s ago/)
  t.match(page, /The fix:/)
  t.notMatch(await (await fetch(`${url}/-/`)).text(), 'Last fault')
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`it is readable on a phone in the ${colorScheme} scheme`, { skip }, async (t) => {
    const { url } = await gatewayFor(t, { AZURE_CLIENT_SECRET: 'wrong' })
    await (await fetch(`${url}/WhoAmI`)).arrayBuffer()
    const browser = await openChromium(t)
    const page = await browser.newPage({ colorScheme, viewport: { width: 390, height: 800 } })
    const pageErrors: string[] = []
    page.on('console', (message) => pageErrors.push(message.text()))
    await page.goto(`${url}/-/`)

    t.same(await page.evaluate<string[]>(LOW_CONTRAST_TEXTS), [])
    t.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= 390)
    t.equal(await page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius"), '12px', 'styled')
    t.same(pageErrors, [])
  })
}
