import { schema } from './schema.ts'
import { below } from './setting.ts'
import type { Node, Setting } from './setting.ts'

/** One setting with its path in a settings file: `port`, `targets[].credential.tenantId`. */
export interface SettingEntry {
  readonly path: string
  readonly setting: Setting<unknown>
}

/** Every setting, in the order of the schema. Kinds of credential can have settings with the same path. */
export const ALL_SETTINGS: readonly SettingEntry[] = entriesOf(schema, '')

/** Variables of the gateway that are not settings. */
const EXTRA_VARIABLES: readonly string[] = ['GATEWAY_CONFIG', 'CREDENTIAL']

/** Every variable that the gateway reads settings from, with the `…_FILE` of secrets. */
export const SETTING_VARIABLES: ReadonlySet<string> = new Set([
  ...EXTRA_VARIABLES,
  ...ALL_SETTINGS.flatMap(({ setting: { env, secret } }) =>
    env === undefined ? [] : secret === true ? [env, `${env}_FILE`] : [env],
  ),
])

function entriesOf(node: Node, path: string): SettingEntry[] {
  switch (node.type) {
    case 'setting':
      return [{ path, setting: node }]
    case 'array':
      return entriesOf(node.items, `${path}[]`)
    case 'group':
      return Object.entries(node.members).flatMap(([key, member]) => entriesOf(member, below(path, key)))
    case 'oneOf':
      return Object.values(node.kinds).flatMap((group) => entriesOf(group, path))
  }
}
