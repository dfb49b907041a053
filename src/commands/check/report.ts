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
  /** Of a failure. */
  readonly explanation?: Explanation
}

/** Reports steps while they run. */
export interface Reporter {
  readonly target: (name: string) => void
  readonly begins: (step: string) => void
  readonly ends: (report: StepReport) => void
}

const MARKS = { ok: '✓', warning: '!', skipped: '–', failed: '✗' } as const

/** Lines for a terminal: a mark, the step, its duration and result; for a failure also the fix. */
export function lines(out: Writer): Reporter {
  const progress = out.isTTY === true
  return {
    target: (name) => out.write(`${name}\n`),
    begins: (step) => {
      if (progress) out.write(`  … ${step}`)
    },
    ends: ({ step, result, ms, says, details = [], explanation }) => {
      if (progress) out.write('\r\u001b[K')
      out.write(`  ${MARKS[result]} ${step.padEnd(13)}${`${ms} ms`.padStart(8)}  ${plain(says)}\n`)
      for (const line of details) out.write(`      ${plain(line)}\n`)
      if (explanation === undefined) return
      const { why, todo, says: said } = explanation
      out.write(`\n      Why: ${plain(why)}\n`)
      if (said !== undefined) out.write(`      What came says: ${plain(said)}\n`)
      out.write(`      What to do: ${plain(todo)}\n`)
    },
  }
}

/** Silent: the complete result is printed at the end. */
export const silent: Reporter = { target: () => undefined, begins: () => undefined, ends: () => undefined }

/** Removes control characters: names come from Dynamics and tokens, and a terminal would interpret them. */
function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
