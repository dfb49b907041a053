import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { Explanation } from '../../explanations/explanation.ts'
import { isPage } from '../../explanations/foreign-responses.ts'
import { proxyFor } from '../../outbound/proxy-settings.ts'
import { ask } from './ask.ts'
import { certificateShown, day, nameOf } from './shown-certificate.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { Checking, Step } from './step.ts'

/** Whether the environment's name can be looked up. */
export const dns: Step = {
  name: 'DNS',
  run: async ({ target, emulated, proxies }) => {
    const { hostname, protocol, port } = new URL(target.url.origin)
    const host = hostname.replace(/^\[|\]$/g, '')
    if (emulated) return skipped('not looked at: emulated')
    if (isIP(host) !== 0 || host === 'localhost') return skipped('not needed for this address')
    if (proxyFor({ protocol, hostname, port }, proxies) !== undefined) return skipped('the proxy looks the name up')
    try {
      const addresses = await lookup(host, { all: true })
      return ok(
        addresses
          .map(({ address }) => address)
          .slice(0, 4)
          .join(', '),
      )
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw new StepFailure(explainLookup(host, code))
    }
  },
}

/** Why a name cannot be looked up. */
export function explainLookup(host: string, code: string | undefined): Explanation {
  return code === 'ENOTFOUND'
    ? {
        what: `There is no host named ${host}.`,
        why:
          'DYNAMICS_URL is mistyped, or the environment was renamed or deleted; ' +
          'or only a proxy leads out of this network, and HTTPS_PROXY is not set.',
        todo:
          'Copy the Environment URL from Power Platform admin centre (admin.powerplatform.microsoft.com) → ' +
          'Manage → Environments → the environment into DYNAMICS_URL.',
      }
    : {
        what: `The name ${host} cannot be looked up (${code}).`,
        why: code === 'EAI_AGAIN' ? "This machine's DNS does not answer." : 'The code is all that the system says.',
        todo: 'See whether this machine can look names up, and correct its DNS or network.',
      }
}

/** Whether the environment can be reached, and whose certificate it shows. */
export const connection: Step = {
  name: 'connection',
  run: async (checking) => {
    const { hostname, protocol } = new URL(checking.target.url.origin)
    let socket: Socket | undefined
    const connected = (message: unknown): void => {
      const { connectParams, socket: made } = message as { connectParams: { hostname: string }; socket: Socket }
      if (connectParams.hostname === hostname) socket ??= made
    }
    subscribe('undici:client:connected', connected)
    const asked = Date.now()
    try {
      const { status, headers } = await ask(checking, '/WhoAmI').catch(async (error: unknown) => {
        throw await withCertificate(error as StepFailure, checking)
      })
      checking.challenge = { headers, asked, answered: Date.now() }
      if (status >= 500) return warning(`reached, but it answers ${status}`)
      if (isPage(headers['content-type'])) return warning(`reached, but a page answers (${status}), as of a proxy`)
      return ok(protocol === 'https:' ? certificateOf(socket) : 'reached, without TLS (this machine only)')
    } finally {
      unsubscribe('undici:client:connected', connected)
    }
  },
}

function certificateOf(socket: Socket | undefined): string {
  if (!(socket instanceof TLSSocket)) return 'reached'
  const { subject, issuer, valid_to: end } = socket.getPeerCertificate()
  return `${socket.getProtocol()!}, certificate of ${nameOf(subject)} from ${nameOf(issuer)}, until ${day(end)}`
}

/** Where a certificate is not trusted, whose it is tells the fix. */
async function withCertificate(error: StepFailure, { target, proxies, emulated }: Checking): Promise<StepFailure> {
  const { hostname, protocol, port } = new URL(target.url.origin)
  const direct = proxyFor({ protocol, hostname, port }, proxies) === undefined
  if (protocol !== 'https:' || !direct || emulated) return error
  const shown = await certificateShown(hostname, Number(port) || 443)
  const { explanation } = error
  return shown === undefined
    ? error
    : new StepFailure({ ...explanation, why: `${explanation.why} The certificate shown is ${shown}.` })
}
