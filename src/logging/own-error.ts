/**
 * An error whose message the gateway wrote itself. It may be logged, because it contains nothing of a request, a
 * response or a secret. Of all other errors the log has type, code and position.
 */
export class OwnError extends Error {}
