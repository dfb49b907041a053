import type { Switches } from '../switches.ts'
import type { FileStore } from './file-store.ts'
import type { SchemaChanges } from './metadata-changes.ts'
import type { Store } from './rows.ts'

/** The emulated Dataverse environment: its data, its behaviour and its origins. */
export interface Environment {
  readonly store: Store
  readonly files: FileStore
  /** Ids of operations that run in the background. */
  readonly background: Set<string>
  readonly switches: Switches
  readonly schema: SchemaChanges
  /** The origins of the environment: the plain host, the `.api.` host, and the address of the emulator. */
  readonly origins: Origins
}

/** Origins, of which the first is the canonical one. */
export type Origins = readonly [string, ...string[]]

/** The origins of an environment: `https://contoso.crm4.dynamics.com` also has an `.api.` form. */
export function originsOf(environment: string): Origins {
  const { origin } = new URL(environment)
  const withApi = origin.replace(/^(https?:\/\/[^.]+)\.(crm\d*\.)/, '$1.api.$2')
  return withApi === origin ? [origin] : [origin, withApi]
}

/** Whether an absolute URL has an origin of the environment. */
export function isOwn(environment: Environment, url: string): boolean {
  const origin = /^[a-z]+:\/\/[^/?#]*/i.exec(url)?.[0].toLowerCase().replace(/:443$/, '')
  return origin !== undefined && environment.origins.includes(origin)
}
