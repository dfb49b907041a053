import { randomFillSync } from 'node:crypto'

import { textOf } from '../odata/text-transform.ts'

/** A random UUID, version 4. Many are made at once: a single one takes twenty new strings and several times as long. */
export function newRequestId(): string {
  if (used === batch.length) {
    batch = newBatch()
    used = 0
  }
  return batch.slice(used, (used += FORM.length))
}

/** Few, because each id keeps its batch in memory. */
const BATCH_IDS = 32
let batch = ''
let used = 0

/** `x`: any digit; `y`: one of 8, 9, a, b. */
const FORM = Buffer.from('xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx')
const [X, Y] = Buffer.from('xy')
const DIGITS = Buffer.from('0123456789abcdef')

/** Random bytes for several batches: for one, the call takes as long as everything else. */
const random = Buffer.alloc(16 * BATCH_IDS * FORM.length)
let randomUsed = random.length

function newBatch(): string {
  if (randomUsed === random.length) {
    randomFillSync(random)
    randomUsed = 0
  }
  const start = randomUsed
  for (let id = 0; id < BATCH_IDS; id++) {
    for (const form of FORM) {
      const byte = random[randomUsed]!
      random[randomUsed++] = form === X ? DIGITS[byte & 0xf]! : form === Y ? DIGITS[8 | (byte & 3)]! : form
    }
  }
  return textOf(random.subarray(start, randomUsed))
}
