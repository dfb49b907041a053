import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { BrowserContextOptions, Page } from 'playwright-core'
import t from 'tap'
import type { Test } from 'tap'

import { LOW_CONTRAST_TEXTS, noChromium, openChromium } from '../support/chromium.ts'
import { gatewayFor } from '../support/gateway-for.ts'
import type { Fixture } from '../support/gateway-for.ts'
import { rawRequest } from '../support/raw-http.ts'

const skip = noChromium
const ADELE = { 'x-user-email': 'adele.vance@contoso.com' }

/** A gateway with its inspector open in a browser. */
async function opened(t: Test, options: BrowserContextOptions = {}): Promise<Fixture & Opened> {
  const fixture = await gatewayFor(t, { INSPECTOR: 'true' })
  const browser = await openChromium(t)
  const page = await browser.newPage(options)
  const pageErrors: string[] = []
  page.on('pageerror', ({ message }) => pageErrors.push(message))
  page.on('dialog', (dialog) => {
    pageErrors.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) pageErrors.push(message.text())
  })
  await page.goto(fixture.running.inspectorLink!)
  await page.waitForSelector('#live.on')
  return {
    ...fixture,
    page,
    troubles: pageErrors,
    ask: (path, init) => fetch(fixture.url + path, init).then((r) => r.text()),
  }
}

interface Opened {
  readonly page: Page
  /** Errors and dialogs of the page. */
  readonly troubles: string[]
  readonly ask: (path: string, init?: RequestInit) => Promise<string>
}

t.test('a failed request appears live, opens with the keyboard, and shows its fix', { skip }, async (t) => {
  const { url, page, troubles, ask } = await opened(t)
  t.equal(page.url(), `${url}/-/inspector`, 'the token is removed from the URL')
  await ask('/accounts?$top=1', { headers: ADELE })
  await ask('/WhoAmI', { headers: { 'x-user-email': 'nobody@contoso.com' } })
  await page.waitForSelector('.row >> nth=1')

  t.match(await page.textContent('.row >> nth=0'), /403.*GET.*\/WhoAmI.*GATEWAY_USER_UNKNOWN/)
  await page.keyboard.press('e')
  t.equal(await page.locator('.row').count(), 1, 'only errors')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  t.match(await page.textContent('.why .fix'), /Users → Add user/)
  t.match(await page.textContent('#detail'), /none: the user is ambiguous or unknown/)

  await page.keyboard.press('Escape')
  await page.keyboard.press('e')
  await page.selectOption('#entitySet', 'accounts')
  t.equal(await page.locator('.row').count(), 1)
  t.match(await page.textContent('.row'), '/accounts')
  t.same(troubles, [])
})

t.test('a request can be replayed from the page, and the new one is shown', { skip }, async (t) => {
  const { page, troubles, ask } = await opened(t)
  await ask('/WhoAmI')
  await page.click('.row')
  await page.click('#again')
  await page.waitForSelector('.row >> nth=1')
  await page.waitForSelector('li:first-child > .row[aria-current=true]')
  t.same(troubles, [])
})

t.test('captured values are shown, and the switch shows the remaining time', { skip }, async (t) => {
  const { page, troubles, ask } = await opened(t)
  await page.click('#capture')
  await page.waitForSelector('#capture[aria-pressed=true]')
  t.match(await page.textContent('#capture'), '15 min left')
  await ask("/contacts?$filter=lastname eq 'Vance'&$top=1", { headers: ADELE })
  await page.click('.row')
  await page.waitForSelector('.title')
  t.match(await page.textContent('.title'), /lastname.*Vance/)
  t.match(await page.textContent('#detail'), 'adele.vance@contoso.com')
  await page.click('#capture')
  await page.waitForSelector('#capture[aria-pressed=false]')
  t.same(troubles, [])
})

t.test('the content of requests, headers and errors is shown as text, and never executed', { skip }, async (t) => {
  const { url, page, troubles, ask } = await opened(t)
  await page.click('#capture')
  await page.waitForSelector('#capture[aria-pressed=true]')
  const markup = '"><img/src=x/onerror=alert(1)><script>alert(2)</script><svg/onload=alert(3)>'
  const { hostname, port } = new URL(url)
  for (const target of [`/${markup}`, `/accounts?$filter=${markup}`, `/accounts(${markup})`]) {
    await rawRequest(
      { host: hostname, port: Number(port) },
      `GET ${target} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nPrefer: ${markup}\r\nUser-Agent: ${markup}\r\n` +
        'Connection: close\r\n\r\n',
    )
  }
  await ask('/accounts', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'javascript:alert(4)', prefer: markup },
    body: JSON.stringify({ [markup]: markup }),
  })
  await page.waitForSelector('.row >> nth=3')
  let shown = ''
  for (let row = 0; row < 4; row += 1) {
    await page.click(`.row >> nth=${row}`)
    await page.waitForSelector(`.row[aria-current=true] >> nth=0`)
    await page.waitForSelector('.title')
    t.equal(await page.locator('img, svg, iframe, script:not([src])').count(), 0)
    shown += await page.textContent('#detail')
  }
  t.match(shown, 'onerror=alert(1)')
  t.same(troubles, [])
})

t.test('a page of another origin, a rebound name and a missing token get nothing', { skip }, async (t) => {
  const { running, url } = await gatewayFor(t, { INSPECTOR: 'true' })
  const link = running.inspectorLink!
  const { port } = new URL(url)
  const browser = await openChromium(t, '--host-resolver-rules=MAP rebound.example 127.0.0.1')
  const context = await browser.newContext()
  const page = await context.newPage()

  t.equal((await page.goto(`${url}/-/inspector`))?.status(), 404, 'no token')
  t.equal((await page.goto(link))?.status(), 200)
  const rebound = link.replace('127.0.0.1', 'rebound.example')
  t.equal((await page.goto(rebound))?.status(), 404, 'a rebound name')

  const evil = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><iframe src="${url}/-/inspector"></iframe>`)
  }).listen(0, '127.0.0.1')
  t.teardown(() => evil.close())
  await once(evil, 'listening')
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`)
  const seen: number[] = []
  page.on('response', (response) => {
    if (new URL(response.url()).port === port) seen.push(response.status())
  })
  const read = await page.evaluate(async (gateway) => {
    const texts: unknown[] = []
    const init = { credentials: 'include' } as const
    for (const path of ['', '?format=json', '/events', '/script']) {
      texts.push(
        await fetch(`${gateway}/-/inspector${path}`, init).then(
          (r) => r.text(),
          () => 'kept away',
        ),
      )
      await fetch(`${gateway}/-/inspector${path}`, { ...init, mode: 'no-cors' }).catch(() => undefined)
    }
    await fetch(`${gateway}/-/inspector/clear`, { ...init, method: 'POST', mode: 'no-cors' }).catch(() => undefined)
    return texts
  }, url)
  t.same(new Set(read), new Set(['kept away']))
  t.ok(seen.length >= 5)
  t.same(new Set(seen), new Set([404]))
})

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`every text has a contrast of at least 4.5 in the ${colorScheme} scheme`, { skip }, async (t) => {
    const { page, ask } = await opened(t, { colorScheme, viewport: { width: 390, height: 800 } })
    await ask('/WhoAmI')
    await ask('/WhoAmI', { headers: { 'x-user-email': 'nobody@contoso.com' } })
    await page.waitForSelector('.row >> nth=1')
    const faint = await page.evaluate<string[]>(LOW_CONTRAST_TEXTS)
    await page.click('.row >> nth=0')
    await page.waitForSelector('.why')
    t.same([...faint, ...(await page.evaluate<string[]>(LOW_CONTRAST_TEXTS))], [])
    const width = await page.evaluate<number>('document.documentElement.scrollWidth')
    t.ok(width <= 390, 'nothing is wider than a phone')
  })
}
