import { createHash } from 'node:crypto'

import type { FastifyInstance } from 'fastify'

import { asset } from './assets.ts'
import { escape } from './escape.ts'
import { targetCard } from './target-card.ts'
import type { ShownTarget } from './target-card.ts'

interface Options {
  readonly version: string
  readonly targets: readonly ShownTarget[]
  /** Whether to link to the request inspector. */
  readonly hasInspector: boolean
}

/** Seconds after which a browser reloads the page. */
const REFRESH_S = 10

/**
 * A page for operators: the targets of the gateway, and whether they work. It refreshes itself,
 * loads nothing, runs no script, and shows nothing secret: no token, no caller, no user.
 */
export async function statusPage(app: FastifyInstance, options: Options): Promise<void> {
  let style: { readonly text: string; readonly hash: string } | undefined
  app.get('/-/', (_request, reply) => {
    style ??= styleOf(asset('look.css') + asset('status.css'))
    void reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy':
          `default-src 'none'; style-src '${style.hash}'; img-src data:; base-uri 'none'; form-action 'none'; ` +
          "frame-ancestors 'none'",
        'cache-control': 'no-store',
      })
      .send(page(style.text, options))
  })
}

function styleOf(text: string): { readonly text: string; readonly hash: string } {
  return { text, hash: `sha256-${createHash('sha256').update(text).digest('base64')}` }
}

function page(style: string, { version, targets, hasInspector }: Options): string {
  const links = [
    ...(hasInspector ? ['<a href="/-/inspector">Request inspector</a>'] : []),
    '<a href="/-/metrics">Metrics</a>',
    '<a href="/-/readyz">Readiness</a>',
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_S}"><title>dynamics-gateway</title>
<link rel="icon" href="data:,"><style>${style}</style></head><body>
<header><h1>dynamics-gateway</h1><span class="soft">${escape(version)}</span><nav>${links.join('')}</nav></header>
<main>${targets.map((one) => targetCard(one, Date.now())).join('')}
</main><footer>Refreshes every ${REFRESH_S} seconds.</footer></body></html>
`
}
