import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { createSecureContext } from 'node:tls'

import { rethrowUnless } from '../logging/rethrow-unless.ts'
import { certificatesFile } from './pem-file.ts'
import type { Settings } from './schema.ts'
import { SettingError } from './setting.ts'

/**
 * Errors that depend on this machine: files that cannot be written, missing folders, a certificate
 * that does not belong to its key. Checks what could be read, whatever else is wrong, and changes nothing.
 */
export function machineChecks(
  { host, auditLog, tls }: Partial<Settings>,
  nameOf: (name: string) => string,
  errors: string[],
): void {
  const add = (name: string, fault: string | undefined): void => {
    if (fault !== undefined) errors.push(`${nameOf(name)} ${fault}`)
  }
  if (host?.startsWith('unix:') === true) add('host', socketError(host.slice('unix:'.length)))
  if (auditLog !== undefined && auditLog !== 'stdout' && auditLog !== 'stderr') add('auditLog', auditLogError(auditLog))
  if (tls?.certificate !== undefined && tls.key !== undefined) add('tls', certificateError(tls))
}

/** The error of a socket path: its folder must exist, and the path may hold only an old socket. */
function socketError(path: string): string | undefined {
  const folder = dirname(path)
  const code = codeOf(() => writableFolder(folder))
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return 'names a socket in a folder that does not exist: make the folder, or name another.'
  }
  if (code !== undefined) {
    return `names a socket in a folder that cannot be written (${code}): fix its permissions, or name another.`
  }
  return existsSync(path) && !statSync(path).isSocket()
    ? 'names a socket where another file is already: remove the file, or name another path.'
    : undefined
}

function auditLogError(path: string): string | undefined {
  const code = codeOf(() => {
    if (!existsSync(path)) return writableFolder(dirname(path))
    if (statSync(path).isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' })
    accessSync(path, constants.W_OK)
  })
  return code === undefined ? undefined : unwritable(code)
}

/** @throws with the system's code where no file can be made in `folder` */
function writableFolder(folder: string): void {
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error('no folder'), { code: 'ENOTDIR' })
  accessSync(folder, constants.W_OK | constants.X_OK)
}

/** The error of an audit log that cannot be opened. */
export function unwritable(code: string | undefined): string {
  return `names a file that cannot be written (${code}): fix the path or its permissions.`
}

/**
 * The error of the file with further authorities that Node reads when it starts, and goes on without if it cannot.
 *
 * @param own variables of the process
 */
export function extraAuthoritiesCheck({ NODE_EXTRA_CA_CERTS: path }: NodeJS.Dict<string>, errors: string[]): void {
  try {
    if (path !== undefined) certificatesFile(path)
  } catch (error) {
    rethrowUnless(error, SettingError)
    errors.push(`NODE_EXTRA_CA_CERTS ${error.message}`)
  }
}

/** The error of files that cannot serve HTTPS. */
function certificateError({ certificate, key, clientCa }: NonNullable<Settings['tls']>): string | undefined {
  const code = codeOf(
    () =>
      void createSecureContext({
        cert: readFileSync(certificate),
        key: readFileSync(key),
        ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
      }),
  )
  if (code === undefined) return undefined
  return code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
    ? 'names a certificate and a key that do not belong together: write the key that the certificate was made for.'
    : `names files that cannot be used for HTTPS (${code}): write PEM files, the key without a password.`
}

function codeOf(attempt: () => void): string | undefined {
  try {
    attempt()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!
  }
}
