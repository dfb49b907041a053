import { OwnError } from '../logging/own-error.ts'

/** The settings are invalid. `errors` has one sentence for each error, with the fix. */
export class SettingsError extends OwnError {
  readonly errors: readonly string[]
  constructor(errors: readonly string[]) {
    super(
      `The settings have ${errors.length === 1 ? 'an error' : `${errors.length} errors`}:\n` +
        errors.map((fault) => `  - ${fault}`).join('\n'),
    )
    this.errors = errors
  }
}
