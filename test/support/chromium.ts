import { existsSync } from 'node:fs'

import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'
import type { Test } from 'tap'

/** Debian's, or where the variable CHROMIUM says. */
const program = process.env['CHROMIUM'] || '/usr/bin/chromium'

/** Why tests in a browser are skipped; `false` if one is installed. */
export const noChromium = existsSync(program)
  ? false
  : `Chromium is not installed: apt-get install chromium, or set CHROMIUM to its path`

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A Chromium that is closed with the test. */
export async function openChromium(t: Test, ...flags: readonly string[]): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: program, args: [...FLAGS, ...flags] })
  t.teardown(() => browser.close())
  return browser
}

/** Runs in a page: the texts whose contrast with their background is below 4.5, as defined by WCAG. */
export const LOW_CONTRAST_TEXTS = `(() => {
  const rgb = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const luminance = (color) => {
    const [r, g, b] = rgb(color).map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  return [...document.querySelectorAll('body *')].flatMap((element) => {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join('')
    if (text === '' || element.getClientRects().length === 0) return []
    let behind = element
    while (behind.parentElement && rgb(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement
    const [light, dark] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
      .map(luminance)
      .sort((a, b) => b - a)
    const contrast = (light + 0.05) / (dark + 0.05)
    return contrast < 4.5 ? [contrast.toFixed(2) + ' ' + text] : []
  })
})()`
