import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'

import fc from 'fast-check'
import t from 'tap'

import { requestBatch, MalformedBatch, RefusedPart } from '../../src/odata/batch.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'
import { inChunks, cutPositions, shares } from '../support/chunkings.ts'

const map = urlMap(targetAddress('https://org.crm4.dynamics.com/api/data/v9.2'), {
  base: 'http://gw:8080',
  form: 'short',
})

const part = (delimiter: string, request: string): string =>
  `${delimiter}\r\nContent-Type: application/http\r\n\r\n${request}\r\n`
const wellFormed = [
  part('--b', 'GET accounts HTTP/1.1\r\n'),
  part('--b', 'POST accounts HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nx'),
  part('--c', 'POST accounts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"a":1}'),
  part('--c', 'DELETE accounts(1) HTTP/1.1\r\n'),
  '--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n',
  '--c--\r\n',
]
const fragments = [
  '--b',
  '--b--',
  '--c',
  '--c--',
  '--bc',
  '--b ',
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '--',
  '-',
  ' ',
  '\t',
  '\0',
  'x',
  '\u0085',
  'Content-Type: application/http',
  'Content-Type: multipart/mixed;\r\n boundary=c',
  'GET accounts HTTP/1.1',
  'Content-Length: 5',
]
const batches = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...wellFormed) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(...fragments),
      },
    ),
    { maxLength: 10 },
  )
  .map((pieces) => Buffer.from(`${pieces.join('')}--b--\r\n`, 'latin1'))

/** The forwarded batch, and the operations that were authorized; `undefined` if the batch was refused. */
function turned(batch: Buffer, cuts: readonly number[]): { text: string; operations: number } | undefined {
  let operations = 0
  try {
    const transform = requestBatch(map, 'multipart/mixed; boundary=b', { onPart: () => void operations++ })
    return { text: inChunks(transform, batch, cuts), operations }
  } catch (error) {
    if (error instanceof MalformedBatch || error instanceof RefusedPart) return undefined
    throw error
  }
}

/** The request lines that a reader finds with `lineEnd` as line break and `isDelimiter` to find delimiters. */
function seen(
  text: string,
  lineEnd: RegExp,
  isDelimiter: (line: string, dashes: string) => boolean,
): readonly string[] {
  const boundaries = ['b']
  const requests: string[] = []
  let state: 'body' | 'part' | 'request' | 'head' = 'body'
  for (const line of text.split(lineEnd)) {
    const level = boundaries.findIndex((boundary) => isDelimiter(line, `--${boundary}`))
    if (level !== -1) {
      boundaries.length = level + 1
      state = 'part'
    } else if (state === 'part') {
      const boundary = /boundary="?([^";\s]+)/i.exec(line)?.[1]
      if (boundary !== undefined) boundaries.push(boundary)
      if (line === '') state = 'request'
    } else if (state === 'request' && line !== '') {
      requests.push(line)
      state = 'head'
    } else if (state === 'head' && line === '') state = 'body'
  }
  return requests
}

t.test('no lenient reader sees an operation in a batch that was not authorized', async (t) => {
  let taken = 0
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(batches, shares, (batch, cuts) => {
        const result = turned(batch, [])
        assert.deepEqual(turned(batch, cutPositions(batch.length, cuts)), result)
        if (result === undefined) return
        taken++
        for (const lineEnd of [/\r\n/, /\r?\n/, /\r\n|\n|\r/]) {
          for (const isDelimiter of [exact, generous]) {
            assert.equal(seen(result.text, lineEnd, isDelimiter).length, result.operations)
          }
        }
      }),
      { numRuns: 1500 },
    ),
  )
  t.ok(taken > 50, 'many are accepted')
})

function exact(line: string, dashes: string): boolean {
  return [dashes, `${dashes}--`].includes(line.replace(/[ \t]+$/, ''))
}

function generous(line: string, dashes: string): boolean {
  return line.startsWith(dashes)
}
