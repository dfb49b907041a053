import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Server, ServerOptions } from 'node:https'

import type { Settings } from '../config/schema.ts'
import { watchFiles } from '../config/watch-files.ts'
import type { Logger } from '../logging/logger.ts'

/** HTTPS settings. */
export type Tls = NonNullable<Settings['tls']>

/**
 * The TLS options of the gateway. Client certificates are requested if authorities or callers with certificates are
 * listed; a caller without one may still have a key.
 */
export function tlsOptions(tls: Tls, callers: Settings['callers']): ServerOptions {
  const wanted = tls.clientCa !== undefined || callers.some(({ certificates }) => certificates.length > 0)
  return { ...secureContext(tls), minVersion: 'TLSv1.2', requestCert: wanted, rejectUnauthorized: false }
}

/**
 * Uses new certificates when their files change. Files that do not belong together, as in the
 * midst of a
 * change, leave the old ones in force.
 *
 * @returns stops it
 */
export function reloadCertificates(server: Server, tls: Tls, log: Pick<Logger, 'info' | 'error'>): () => void {
  const files = [tls.certificate, tls.key, ...(tls.clientCa === undefined ? [] : [tls.clientCa])]
  return watchFiles(files, () => {
    try {
      server.setSecureContext(secureContext(tls))
      log.info({ certificate: tls.certificate }, 'certificate reloaded')
    } catch (error) {
      log.error(
        { certificate: tls.certificate, code: (error as NodeJS.ErrnoException).code },
        'new certificate cannot be used; keeping the old one',
      )
    }
  })
}

function secureContext({ certificate, key, clientCa }: Tls): ServerOptions {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
    // A resumed session would restore a client certificate that the authorities no longer trust.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}
