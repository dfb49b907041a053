import { readFileSync, statSync } from 'node:fs'
import { normalize, dirname } from 'node:path'

import { AuthorityFailure } from '../failure.ts'

/** What the Arc agent installs. */
export interface ArcPaths {
  readonly agent: string
  /** The only folder that a challenge of the agent may refer to. */
  readonly keys: string
}

/** Where the agent is on Linux. */
export const ARC: ArcPaths = { agent: '/opt/azcmagent/bin/himds', keys: '/var/opt/azcmagent/tokens' }

const MAX_KEY_BYTES = 4096

/**
 * The response to a challenge of Azure Arc: the content of a file that only members of a group may read.
 *
 * @returns the Authorization header
 * @throws AuthorityFailure when the challenge names another file, or it cannot be read
 */
export function arcChallengeResponse(challenge: string | undefined, folder: string): string {
  const [, file] = /^Basic realm="?([^"]+)"?$/i.exec(challenge ?? '') ?? []
  if (file === undefined || normalize(file) !== file || dirname(file) !== folder || !file.endsWith('.key')) {
    throw new AuthorityFailure(
      {
        what: 'The Azure Arc agent asks for a file that is not its own.',
        why: 'Something else than the agent answers in its place.',
        todo: 'See that only the agent listens at IDENTITY_ENDPOINT.',
      },
      true,
    )
  }
  try {
    if (statSync(file).size > MAX_KEY_BYTES) throw Object.assign(new Error(), { code: 'EFBIG' })
    return `Basic ${readFileSync(file, 'utf8')}`
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new AuthorityFailure(
      {
        what: `The key of the Azure Arc agent cannot be read (${code}).`,
        why: 'Only members of the group himds may read it.',
        todo: "Add the gateway's user to the group himds.",
      },
      true,
      { code },
    )
  }
}
