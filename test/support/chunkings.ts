import { Buffer } from 'node:buffer'

import fc from 'fast-check'

import { rewriteComplete } from '../../src/odata/text-transform.ts'
import type { TextTransform } from '../../src/odata/text-transform.ts'

/** The result of `transform` for `text` in one chunk. */
export function inOneChunk(transform: TextTransform, text: string): string {
  return inChunks(transform, Buffer.from(text), [])
}

/** The result of `transform` for `bytes` with chunk borders at `cuts`, in any order. */
export function inChunks(transform: TextTransform, bytes: Buffer, cuts: readonly number[]): string {
  const out = chunksOf(bytes, cuts).map((chunk) => transform.push(chunk))
  return Buffer.from(out.join('') + transform.end(), 'latin1').toString()
}

/** The same for a body that is complete before it is rewritten. */
export function onceComplete(transform: TextTransform, bytes: Buffer, cuts: readonly number[]): string {
  return Buffer.from(rewriteComplete(transform, chunksOf(bytes, cuts)), 'latin1').toString()
}

function chunksOf(bytes: Buffer, cuts: readonly number[]): string[] {
  const borders = [0, ...[...cuts].sort((one, other) => one - other), bytes.length]
  const text = bytes.toString('latin1')
  return borders.slice(1).map((border, index) => text.slice(borders[index], border))
}

/** The result of `transform` for `bytes`, one byte at a time. */
export function byteByByte(transform: TextTransform, bytes: Buffer): string {
  return inChunks(
    transform,
    bytes,
    Array.from(bytes, (_, index) => index),
  )
}

/** A few positions at which to cut a text, as shares of its length. */
export const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 })

/** The positions in a text of `length` bytes. */
export function cutPositions(length: number, cuts: readonly number[]): number[] {
  return cuts.map((share) => Math.floor(share * length))
}
