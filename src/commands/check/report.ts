import type { Explanation } from '../../explanations/explanation.ts'
import type { Writer } from '../command-io.ts'
import type { Outcome } from './step.ts'

/** What became of one step. */
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

/** Lines for people: a mark, the step, how long it took, what was found; under a failure what to do. */
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

/** Names come from Dynamics and tokens; a terminal would obey what is hidden in them. */
function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
