/**
 * An error whose message the gateway wrote itself: it may be logged, for it holds nothing of a request, an answer or a
 * secret. Of all other errors the log names type, code and place.
 */
export class OwnError extends Error {}
