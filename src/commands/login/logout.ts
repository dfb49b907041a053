import type { CommandIo } from '../command-io.ts'
import { delegatedTargets } from './delegated-targets.ts'

/** Removes the sign-ins that `login` kept. Gives the exit status: 0. */
export async function logout(_: object, io: CommandIo): Promise<number> {
  const removed = delegatedTargets(io).filter(({ store: kept }) => kept.remove())
  for (const { store: kept } of removed) io.stdout.write(`Signed out: removed ${kept.file}\n`)
  if (removed.length === 0) io.stdout.write('Nobody was signed in.\n')
  return 0
}
