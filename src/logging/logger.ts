/** The part of pino's logger that the gateway uses. Each line is an object of fields and one sentence. */
export type Logger = {
  readonly [level in 'debug' | 'info' | 'warn' | 'error']: (fields: object, sentence: string) => void
}
