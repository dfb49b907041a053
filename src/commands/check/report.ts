import type { Explanation } from '../../explanations/explanation.ts'
import type { Writer } from '../command-io.ts'
import type { Outcome } from './step.ts'

/** The result of one step. */
export interface StepReport {
  readonly step: string
  readonly result: Outcome['result'] | 'failed'
  readonly ms: number
  readonly says: string
  readonly details?: readonly string[]
  /** The explanation of a failure. */
  readonly explanation?: Explanation
}

/** Reports steps while they run. */
export interface Reporter {
  readonly target: (name: string) => void
  readonly stepStarted: (step: string) => void
  readonly stepEnded: (report: StepReport) => void
}

const SYMBOLS = { ok: '✓', warning: '!', skipped: '–', failed: '✗' } as const

/** Prints one line per step: a symbol, the step, its duration and result. A failure also has the fix. */
export function lines(out: Writer): Reporter {
  const progress = out.isTTY === true
  return {
    target: (name) => out.write(`${name}\n`),
    stepStarted: (step) => {
      if (progress) out.write(`  … ${step}`)
    },
    stepEnded: ({ step, result, ms, says, details = [], explanation }) => {
      if (progress) out.write('\r\u001b[K')
      out.write(`  ${SYMBOLS[result]} ${step.padEnd(13)}${`${ms} ms`.padStart(8)}  ${plain(says)}\n`)
      for (const line of details) out.write(`      ${plain(line)}\n`)
      if (explanation === undefined) return
      const { why, todo, says: said } = explanation
      out.write(`\n      Why: ${plain(why)}\n`)
      if (said !== undefined) out.write(`      The response says: ${plain(said)}\n`)
      out.write(`      What to do: ${plain(todo)}\n`)
    },
  }
}

/** Prints nothing: the complete result is printed at the end. */
export const silent: Reporter = { target: () => undefined, stepStarted: () => undefined, stepEnded: () => undefined }

/** Removes control characters, which a terminal would interpret: names come from Dynamics and from tokens. */
function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
