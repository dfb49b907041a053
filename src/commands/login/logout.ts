import type { CommandIo } from '../command-io.ts'
import { delegatedTargets } from './delegated-targets.ts'

/**
 * Removes the sign-ins that `login` stored.
 *
 * @returns the exit status: 0
 */
export async function logout(_: object, io: CommandIo): Promise<number> {
  const removed = delegatedTargets(io).filter(({ store }) => store.remove())
  for (const { store } of removed) io.stdout.write(`Signed out: removed ${store.file}\n`)
  if (removed.length === 0) io.stdout.write('Nobody was signed in.\n')
  return 0
}
