import { APPLICATIONS } from './aadsts-applications.ts'
import { CREDENTIALS } from './aadsts-credentials.ts'
import { PEOPLE } from './aadsts-people.ts'
import { TRANSIENT } from './aadsts-transient.ts'
import type { Explanation } from './explanation.ts'

/**
 * What Microsoft Entra's errors mean, by the number after AADSTS.
 *
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
export const AADSTS: Readonly<Record<number, Explanation>> = {
  ...APPLICATIONS,
  ...CREDENTIALS,
  ...PEOPLE,
  ...TRANSIENT,
}
