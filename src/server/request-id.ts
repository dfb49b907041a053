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

function newBatch(): string {
  const bytes = randomFillSync(Buffer.alloc(BATCH_IDS * FORM.length))
  for (let at = 0; at < bytes.length; at++) {
    const form = FORM[at % FORM.length]!
    if (form === X) bytes[at] = DIGITS[bytes[at]! & 0xf]!
    else if (form === Y) bytes[at] = DIGITS[8 | (bytes[at]! & 3)]!
    else bytes[at] = form
  }
  return textOf(bytes)
}
