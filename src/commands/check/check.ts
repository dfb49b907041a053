import { SettingsError } from '../../config/settings-error.ts'
import { rethrowUnless } from '../../logging/rethrow-unless.ts'
import { listenFault } from '../../server/listen.ts'
import type { CommandIo } from '../command-io.ts'
import { credentialFileErrors } from '../credential-files.ts'
import { inspectionErrors } from '../serve/process-guard.ts'
import { clock, tenant } from './announced.ts'
import { connection, dns } from './connectivity.ts'
import { asPerson, consents, exchange, personToken, servesPeople } from './person.ts'
import { preloadUsers } from './preload.ts'
import { redisStep } from './redis.ts'
import { lines, silent } from './report.ts'
import type { Reporter, StepReport } from './report.ts'
import { actOnBehalf, readUsers, whoAmI } from './rights.ts'
import { StepFailure } from './step.ts'
import type { CheckContext, Step } from './step.ts'
import { settings as settingsStep, token } from './token.ts'
import { asUser } from './user.ts'

export interface CheckArgs {
  /** E-mail address or Entra object id of a user to act as. */
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

/** More steps, for callers that send tokens of people. */
const PEOPLE_STEPS: readonly Step[] = [consents, personToken, exchange, asPerson]

/**
 * Runs every step for each target. The first failure ends the steps of that target, and reports what happened, why, and
 * how to fix it.
 *
 * @returns the exit status: 0 if all steps passed, 2 if a step failed
 */
export async function check(
  { user, 'token-file': tokenFile, json = false }: CheckArgs,
  io: CommandIo,
): Promise<number> {
  const listenError = await listenFault(io.settings)
  const faults = [
    ...inspectionErrors(io.settings),
    ...credentialFileErrors(io.settings, io.settingsFile),
    ...(listenError === undefined ? [] : [listenError]),
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
      ok: allPassed(steps),
      steps,
    })
  }
  const ok = targets.every((target) => target.ok)
  const warningsMember = warnings.length === 0 ? {} : { warnings }
  if (json) io.stdout.write(`${JSON.stringify({ ok, ...warningsMember, targets }, null, 2)}\n`)
  else io.stdout.write(ok ? '\nAll steps passed.\n' : '\nA step failed. The steps after it were skipped.\n')
  return ok ? 0 : 2
}

async function checkTarget(
  asked: Pick<CheckContext, 'target' | 'user' | 'tokenFile'>,
  { agent, env, settings: { proxies, callers, redis }, emulated = false }: CommandIo,
  reporter: Reporter,
): Promise<StepReport[]> {
  const context: CheckContext = { ...asked, agent, env, proxies, callers, emulated }
  const reports: StepReport[] = []
  const shared = redis === undefined ? [] : [redisStep(redis)]
  for (const step of [...stepsOf(context), ...shared]) {
    reporter.stepStarted(step.name)
    const report = await runStep(step, context)
    reports.push(report)
    reporter.stepEnded(report)
    if (report.result === 'failed') break
  }
  return reports
}

/** The steps for the settings and options. */
function stepsOf(context: CheckContext): readonly Step[] {
  return [
    ...STEPS,
    ...(context.target.users.preload ? [preloadUsers] : []),
    ...(servesPeople(context) ? PEOPLE_STEPS : []),
  ]
}

async function runStep({ name, run }: Step, context: CheckContext): Promise<StepReport> {
  const started = performance.now()
  const ms = (): number => Math.round(performance.now() - started)
  try {
    const outcome = await run(context)
    return { step: name, ...outcome, ms: ms() }
  } catch (error) {
    rethrowUnless(error, StepFailure)
    return { step: name, result: 'failed', ms: ms(), says: error.explanation.what, explanation: error.explanation }
  }
}

function allPassed(steps: readonly StepReport[]): boolean {
  return steps.every(({ result }) => result !== 'failed')
}
