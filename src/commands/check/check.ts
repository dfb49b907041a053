import { SettingsError } from '../../config/settings-error.ts'
import { rethrowUnless } from '../../logging/rethrow-unless.ts'
import { listenFault } from '../../server/listen.ts'
import type { CommandIo } from '../command-io.ts'
import { credentialFileErrors } from '../credential-files.ts'
import { inspectionErrors } from '../serve/process-guard.ts'
import { clock, tenant } from './announced.ts'
import { asPerson, consents, exchange, personToken, servesPeople } from './person.ts'
import { preloadUsers } from './preload.ts'
import { connection, dns } from './reach.ts'
import { redisStep } from './redis.ts'
import { lines, silent } from './report.ts'
import type { Reporter, StepReport } from './report.ts'
import { actOnBehalf, readUsers, whoAmI } from './rights.ts'
import { StepFailure } from './step.ts'
import type { Checking, Step } from './step.ts'
import { settings as settingsStep, token } from './token.ts'
import { asUser } from './user.ts'

export interface CheckArgs {
  /** E-mail address of a user to act as. */
  readonly user?: string | undefined
  /** A file with the token of a person who is signed in to an app. */
  readonly 'token-file'?: string | undefined
  /** One JSON document instead of lines. */
  readonly json?: boolean | undefined
}

/** The steps, in order of dependency. */
const STEPS: readonly Step[] = [
  settingsStep,
  dns,
  connection,
  clock,
  tenant,
  token,
  whoAmI,
  readUsers,
  actOnBehalf,
  asUser,
]

/** Further steps for callers with user tokens. */
const PEOPLE_STEPS: readonly Step[] = [consents, personToken, exchange, asPerson]

/**
 * Tries every step to each target; the first that fails ends that target, with what happened, why, and the
 * one thing to do.
 *
 * @returns the exit status: 0 all well, 2 a step failed
 */
export async function check(
  { user, 'token-file': tokenFile, json = false }: CheckArgs,
  io: CommandIo,
): Promise<number> {
  const unheard = await listenFault(io.settings)
  const faults = [
    ...inspectionErrors(io.settings),
    ...credentialFileErrors(io.settings),
    ...(unheard === undefined ? [] : [unheard]),
  ]
  if (faults.length > 0) throw new SettingsError(faults)
  const { warnings = [] } = io
  if (!json) for (const warning of warnings) io.stdout.write(`  ! ${warning}\n`)
  const reporter = json ? silent : lines(io.stdout)
  const targets = []
  for (const target of io.settings.targets) {
    const name = `${target.name === undefined ? '' : `${target.name}: `}${target.url.origin}`
    reporter.target(name)
    const steps = await checkTarget({ target, user, tokenFile }, io, reporter)
    targets.push({
      ...(target.name === undefined ? {} : { name: target.name }),
      environment: target.url.origin,
      ok: allWell(steps),
      steps,
    })
  }
  const ok = targets.every((target) => target.ok)
  const told = warnings.length === 0 ? {} : { warnings }
  if (json) io.stdout.write(`${JSON.stringify({ ok, ...told, targets }, null, 2)}\n`)
  else io.stdout.write(ok ? '\nAll steps passed.\n' : '\nA step failed; the steps after it were skipped.\n')
  return ok ? 0 : 2
}

async function checkTarget(
  asked: Pick<Checking, 'target' | 'user' | 'tokenFile'>,
  { agent, env, settings: { proxies, callers, redis }, emulated = false }: CommandIo,
  reporter: Reporter,
): Promise<StepReport[]> {
  const checking: Checking = { ...asked, agent, env, proxies, callers, emulated }
  const reports: StepReport[] = []
  const shared = redis === undefined ? [] : [redisStep(redis)]
  for (const step of [...stepsOf(checking), ...shared]) {
    reporter.begins(step.name)
    const report = await runStep(step, checking)
    reports.push(report)
    reporter.ends(report)
    if (report.result === 'failed') break
  }
  return reports
}

/** The steps for the settings and options. */
function stepsOf(checking: Checking): readonly Step[] {
  return [
    ...STEPS,
    ...(checking.target.users.preload ? [preloadUsers] : []),
    ...(servesPeople(checking) ? PEOPLE_STEPS : []),
  ]
}

async function runStep({ name, run }: Step, checking: Checking): Promise<StepReport> {
  const started = performance.now()
  const ms = (): number => Math.round(performance.now() - started)
  try {
    const outcome = await run(checking)
    return { step: name, ...outcome, ms: ms() }
  } catch (error) {
    rethrowUnless(error, StepFailure)
    return { step: name, result: 'failed', ms: ms(), says: error.explanation.what, explanation: error.explanation }
  }
}

function allWell(steps: readonly StepReport[]): boolean {
  return steps.every(({ result }) => result !== 'failed')
}
