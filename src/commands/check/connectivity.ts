import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { Explanation } from '../../explanations/explanation.ts'
import { isPage } from '../../explanations/foreign-responses.ts'
import { proxyFor } from '../../outbound/proxy-settings.ts'
import { get } from './ask.ts'
import { presentedCertificate, day, nameOf } from './presented-certificate.ts'
import { ok, skipped, StepFailure, warning } from './step.ts'
import type { CheckContext, Step } from './step.ts'

/** Whether the host name of the environment can be resolved. */
export const dns: Step = {
  name: 'DNS',
  run: async ({ target, emulated, proxies }) => {
    const { hostname, protocol, port } = new URL(target.url.origin)
    const host = hostname.replace(/^\[|\]$/g, '')
    if (emulated) return skipped('not checked: emulated')
    if (isIP(host) !== 0 || host === 'localhost') return skipped('not needed for this address')
    if (proxyFor({ protocol, hostname, port }, proxies) !== undefined) return skipped('the proxy resolves the name')
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
          'DYNAMICS_URL is mistyped, or the environment was renamed or deleted, ' +
          'or this network requires a proxy and HTTPS_PROXY is not set.',
        todo:
          'Copy the Environment URL from the Power Platform admin centre (admin.powerplatform.microsoft.com) → ' +
          'Manage → Environments → the environment into DYNAMICS_URL.',
      }
    : {
        what: `The name ${host} cannot be resolved (${code}).`,
        why:
          code === 'EAI_AGAIN'
            ? 'The DNS server of this machine does not respond.'
            : 'The system gives no other reason.',
        todo: 'Check whether this machine can resolve other names, and correct its DNS or network settings.',
      }
}

/** Whether the environment can be reached, and which certificate it presents. */
export const connection: Step = {
  name: 'connection',
  run: async (context) => {
    const { hostname, protocol } = new URL(context.target.url.origin)
    let socket: Socket | undefined
    const connected = (message: unknown): void => {
      const { connectParams, socket: made } = message as { connectParams: { hostname: string }; socket: Socket }
      if (connectParams.hostname === hostname) socket ??= made
    }
    subscribe('undici:client:connected', connected)
    const asked = Date.now()
    try {
      const { status, headers } = await get(context, '/WhoAmI').catch(async (error: unknown) => {
        throw await withCertificate(error as StepFailure, context)
      })
      context.challenge = { headers, asked, answered: Date.now() }
      if (status >= 500) return warning(`reached, but the response is ${status}`)
      if (isPage(headers['content-type']))
        return warning(`reached, but the response is a page (${status}), perhaps from a proxy`)
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

/** Adds the presented certificate to an error: if it is not trusted, its issuer shows the fix. */
async function withCertificate(error: StepFailure, { target, proxies, emulated }: CheckContext): Promise<StepFailure> {
  const { hostname, protocol, port } = new URL(target.url.origin)
  const direct = proxyFor({ protocol, hostname, port }, proxies) === undefined
  if (protocol !== 'https:' || !direct || emulated) return error
  const shown = await presentedCertificate(hostname, Number(port) || 443)
  const { explanation } = error
  return shown === undefined
    ? error
    : new StepFailure({ ...explanation, why: `${explanation.why} The presented certificate is ${shown}.` })
}
