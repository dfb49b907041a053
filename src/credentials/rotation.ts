import type { Logger } from '../logger.ts'
import type { FetchToken } from './credential.ts'
import { AuthorityFailure, asAuthorityFailure } from './failure.ts'

/** A credential with the content of its files at one moment. */
export interface CredentialVersion {
  /** Differs when the credential does. Secret: only ever compared. */
  readonly identity: string
  readonly fetch: FetchToken
}

/**
 * Fetches with what `load` reads at that moment, so that a rotated credential is used without a restart. A new one must
 * have fetched a token before it replaces the old one: until then the old one is used when the new one is refused or
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
        log.info({}, 'the credential was changed; the new one is in use')
        return token
      }
    } catch (error) {
      const failure = asAuthorityFailure(error)
      if (!failure.refused || request.signal.aborted) throw failure
      log.error(
        { ...failure.facts },
        `the credential was changed, but the new one cannot be used, so the old one stays: ${failure.message}`,
      )
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
