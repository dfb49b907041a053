import type { FileStore } from './file-store.ts'
import type { Store } from './rows.ts'
import type { Switches } from './switches.ts'

/** The emulated Dataverse environment: what it holds, how it behaves, and the names by which it is called. */
export interface Environment {
  readonly store: Store
  readonly files: FileStore
  readonly switches: Switches
  /** Origins that are its own: the plain host, the `.api.` host, and where the emulator listens. */
  readonly origins: readonly string[]
}

/** The origins of an environment: `https://contoso.crm4.dynamics.com` has an `.api.` form beside it. */
export function originsOf(environment: string): string[] {
  const { protocol, host } = new URL(environment)
  const [first = '', ...rest] = host.split('.')
  return rest.length > 1 && /^crm\d*$/.test(rest[0] ?? '')
    ? [`${protocol}//${host}`, `${protocol}//${[first, 'api', ...rest].join('.')}`]
    : [`${protocol}//${host}`]
}

/** Whether an absolute URL points into the environment itself. */
export function isOwn(environment: Environment, url: string): boolean {
  const origin = /^[a-z]+:\/\/[^/?#]*/i.exec(url)?.[0].toLowerCase().replace(/:443$/, '')
  return origin !== undefined && environment.origins.includes(origin)
}
