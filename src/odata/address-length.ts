/** The longest path and query that Dynamics accepts in a request, in characters. */
export const MAX_ADDRESS_CHARACTERS = 32_768

/**
 * The longest that it accepts in a request inside a `$batch`, in characters.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
 */
export const MAX_BATCHED_ADDRESS_CHARACTERS = 65_536
