import type { FastifyInstance } from 'fastify'

import type { Target } from '../config/schema.ts'
import type { Credential } from '../credentials/credential.ts'
import type { Connection } from '../dynamics/connect.ts'
import type { UserDirectory } from '../users/directory.ts'

/** What of one target the page shows. */
interface Shown {
  readonly name: string
  readonly target: Pick<Target, 'url' | 'impersonation'>
  readonly credential: Pick<Credential, 'state'>
  readonly connection: Pick<Connection, 'state'>
  readonly directory: Pick<UserDirectory, 'remembered'>
}

interface Options {
  readonly version: string
  readonly environments: readonly Shown[]
}

/**
 * A page for the person who looks after the gateway: what it forwards to, and how it fares. It loads nothing, runs no
 * script, and shows nothing secret: no token, no caller, no user.
 */
export async function statusPage(app: FastifyInstance, { version, environments }: Options): Promise<void> {
  app.get('/-/', (_request, reply) => {
    void reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        'cache-control': 'no-store',
      })
      .send(page(version, environments))
  })
}

function page(version: string, environments: readonly Shown[]): string {
  const rows = environments.map(row).join('')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>dynamics-gateway</title><style>
body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}table{border-collapse:collapse}
th,td{text-align:left;padding:.3rem 1.2rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top}.bad{color:#a00;font-weight:600}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}th,td{border-color:#444}.bad{color:#f77}}
</style></head><body><h1>dynamics-gateway ${escape(version)}</h1><table>
<tr><th>Target<th>Environment<th>Token<th>Connection<th>Requests<th>Users</tr>${rows}
</table><p><a href="/-/metrics">metrics</a> · <a href="/-/readyz">ready</a></p></body></html>
`
}

function row({ name, target, credential, connection, directory }: Shown): string {
  const { token, validFor } = credential.state()
  const { circuit, running, waiting, limit, hold } = connection.state()
  const cells = [
    escape(name),
    escape(target.url.origin),
    token === 'none' ? bad('none: see the log') : `${token}, ${seconds(validFor)} left`,
    circuit === 'open'
      ? bad('given up for a moment')
      : hold > 0
        ? bad(`held by Dynamics' limits for ${seconds(hold)}`)
        : 'well',
    `${running} of ${limit} at Dynamics, ${waiting} waiting`,
    `${directory.remembered().users} remembered, impersonation ${target.impersonation.mode}`,
  ]
  return `\n<tr>${cells.map((cell) => `<td>${cell}`).join('')}</tr>`
}

function bad(text: string): string {
  return `<span class="bad">${text}</span>`
}

function seconds(milliseconds: number): string {
  return `${Math.max(0, Math.round(milliseconds / 1000))} s`
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
