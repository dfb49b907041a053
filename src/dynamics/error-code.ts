import { unzipSync } from 'node:zlib'

/** So much of an error is looked at; its code comes first. */
const MAX_LOOKED_AT_BYTES = 64 * 1024

const CODE = /"code"\s*:\s*"(0x[\da-f]{1,8})"/i

/**
 * The code of the error in the first bytes of a response's body: `0x80040217`; `undefined` where it holds none, or is
 * coded in a way that shows nothing before its end.
 */
export function errorCodeIn(body: Buffer): string | undefined {
  try {
    const bytes = body[0] === 0x1f ? unzipSync(body, { maxOutputLength: MAX_LOOKED_AT_BYTES }) : body
    return CODE.exec(bytes.toString('latin1', 0, MAX_LOOKED_AT_BYTES))?.[1]?.toLowerCase()
  } catch {
    return undefined
  }
}
