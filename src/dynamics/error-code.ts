/** How many bytes of an error are searched; its code comes first. */
const MAX_SEARCHED_BYTES = 64 * 1024

const CODE = /"code"\s*:\s*"(0x[\da-f]{1,8})"/i

/** The code in the first bytes of an error's body, such as `0x80040217`; `undefined` without one. */
export function errorCodeIn(body: Buffer): string | undefined {
  return CODE.exec(body.toString('latin1', 0, MAX_SEARCHED_BYTES))?.[1]?.toLowerCase()
}
