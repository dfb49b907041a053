import type { Logger } from '../logging/logger.ts'
import type { FetchToken } from './credential.ts'
import { AuthorityFailure, asAuthorityFailure } from './failure.ts'
import { isPersonsFault } from './user-token-faults.ts'

/** A credential with the content of its files at one time. */
export interface CredentialVersion {
  /** Changes when the credential changes. It is secret, and only compared. */
  readonly identity: string
  readonly fetch: FetchToken
}

/**
 * Fetches with the version that `load` reads, so a rotated credential is used without a restart. A new version must
 * fetch a token before it replaces the old one. Until then the old one is used when the new one is refused or
 * cannot be read.
 */
export function withRotation(load: () => CredentialVersion | Promise<CredentialVersion>, log: Logger): FetchToken {
  let proven: CredentialVersion | undefined
  return async (request) => {
    if (proven === undefined) {
      const first = await read()
      const token = await first.fetch(request)
      proven = first
      return token
    }
    try {
      const candidate = await read()
      if (candidate.identity !== proven.identity) {
        const token = await candidate.fetch(request)
        proven = candidate
        log.info({}, 'credential rotated: the new one is in use')
        return token
      }
    } catch (error) {
      const failure = asAuthorityFailure(error)
      if (!failure.refused || request.signal.aborted || (request.onBehalfOf !== undefined && isPersonsFault(failure)))
        throw failure
      log.error({ ...failure.facts }, `credential rotation failed: the old one stays in use: ${failure.message}`)
    }
    return proven.fetch(request)
  }

  async function read(): Promise<CredentialVersion> {
    try {
      return await load()
    } catch (error) {
      if (error instanceof AuthorityFailure) throw error
      const { code = 'unreadable' } = error as NodeJS.ErrnoException
      throw new AuthorityFailure(
        {
          what: `The credential's file cannot be read (${code}).`,
          why: "It is missing, or the gateway's user may not read it.",
          todo: 'Fix the path or its permissions.',
        },
        true,
        { code },
        error,
      )
    }
  }
}
