/** What happens on the way to Dynamics, for the log and the metrics. */
export type DynamicsEvent =
  | { readonly kind: 'token-refused', readonly repeated: boolean }

/** Is told what happens, at once; must not throw. */
export type Watch = (event: DynamicsEvent) => void

/** What of a logger is used: pino's form. */
export interface Log {
  readonly info: (facts: object, sentence: string) => void
  readonly warn: (facts: object, sentence: string) => void
}
