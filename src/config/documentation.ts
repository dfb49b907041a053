import { ALL_SETTINGS } from './all-settings.ts'
import { CHOOSING_VARIABLES } from './choose-credential.ts'
import { schema } from './schema.ts'
import type { Group, Members, Node, Setting } from './setting.ts'
import { orList } from './word-list.ts'

/** A section of the documentation, and its settings. */
interface Section {
  readonly path: string
  readonly description: string
  readonly settings: readonly (readonly [name: string, setting: Setting<unknown>])[]
  readonly sections: readonly Section[]
}

/** The documentation of all settings: the content of `config/README.md`. */
export function settingsAsMarkdown(): string {
  return `${FOREWORD}\n${sections(sectionOf(schema, ''), 2)}`
}

/**
 * Every setting by its environment variable. One variable can stand for a setting of several kinds
 * of credential.
 */
export function settingsByVariable(): ReadonlyMap<string, Setting<unknown>> {
  const found = new Map<string, Setting<unknown>>()
  for (const { setting } of ALL_SETTINGS) {
    if (setting.env !== undefined && !found.has(setting.env)) found.set(setting.env, setting)
  }
  return found
}

const FOREWORD = `<!-- Printed from the schema by \`npm run docs\`; changes by hand are lost. -->
# Settings

The environment describes one target. A file describes any number of them, and callers.

\`\`\`sh
dynamics-gateway serve                              # from the environment, and from .env in the working folder
dynamics-gateway serve --config config/gateway.yaml # from a file, JSON or YAML; GATEWAY_CONFIG names it too
\`\`\`

- What the process itself needs (\`HOST\`, \`LOG_LEVEL\` …) may be in either; the environment wins. Targets never mix: with a file,
  a variable that describes a target is an error. (\`AZURE_…\` variables may be there: a file can take its secrets from them.)
- A variable of the environment wins over the same one in \`.env\`. An empty variable is one that is not set.
- \`.env\` is read in UTF-8, as Docker Compose reads it: \`NAME=value\` or \`NAME: value\`, in quotes where the value holds \` #\`. A line that is
  none of these is an error. \`NODE_EXTRA_CA_CERTS\` and other variables of Node count only where they are set for the process.
- A name that is not listed here is an error in a file and in \`.env\`. In the environment, which belongs to other programs too, one that
  looks like a name of this page is a warning, or an error where a variable of a target is misspelt and missing.
- What templates and pages leave in a value is an error: \`\${NAME}\`, \`{subdomain}\`, \`<secret>\`, \`your-secret-here\`, curly quotes, characters that
  cannot be seen. All errors are shown at once, each with what to write instead.
- SIGHUP reads all settings again; those that say so need a restart.
- **Times** are written \`1500ms\`, \`10s\`, \`5m\`, \`1h\`. **Sizes** are written \`500B\`, \`64KiB\`, \`128MiB\`, \`1GiB\`.
  **Lists** are lists in a file, and separated by commas in a variable.
- **Secrets** are never in the file: it says \`{ env: NAME }\` or \`{ file: path }\`. For each secret variable \`NAME\`, \`NAME_FILE\` may name
  a file that holds it instead; both set is an error. A secret's file that changes is read again.
- In the environment, the kind of credential follows from the variables that are set: ${orList(CHOOSING_VARIABLES.map((name) => `\`${name}\``))}; none of them, and no \`AZURE_TENANT_ID\`, means a managed identity. \`CREDENTIAL\` names the kind where
  the variables do not tell, such as \`CREDENTIAL=delegated\`. Variables of two kinds, or of another kind than \`CREDENTIAL\` names, are an error;
  where a platform sets \`AZURE_FEDERATED_TOKEN_FILE\` by itself, set it to nothing to use another kind.
- \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`ALL_PROXY\` and \`NO_PROXY\`, in upper or lower case (lower case counts first, as with curl), lead to the network's proxy. They are
  checked at start: \`http://\` or \`https://\` proxies only, and a name or password with characters such as \`#\`, \`/\` or \`@\` percent-encoded. \`NO_PROXY\` lists names,
  \`.suffixes\`, addresses and networks (\`10.0.0.0/8\`), with or without \`:port\`. Loopback and the end points of managed identities are never reached through a proxy.
- \`NODE_EXTRA_CA_CERTS\` adds certificate authorities, as in every program of Node.
- Examples are beside this file. For completion in an editor, begin a YAML file with
  \`# yaml-language-server: $schema=./schema.json\`.
`

function sectionOf(node: Exclude<Node, Setting<unknown>>, path: string): Section {
  switch (node.type) {
    case 'group': {
      const members = Object.entries(node.members)
      return {
        path,
        description: node.description,
        settings: members.flatMap(([name, member]) => (member.type === 'setting' ? [[name, member] as const] : [])),
        sections: members.flatMap(([name, member]) =>
          member.type === 'setting' ? [] : [sectionOf(member, path === '' ? name : `${path}.${name}`)],
        ),
      }
    }
    case 'array': {
      if (node.items.type === 'setting') {
        return { path: `${path}[]`, description: node.description, settings: [['each', node.items]], sections: [] }
      }
      const of = sectionOf(node.items, `${path}[]`)
      return { ...of, description: `${node.description} ${of.description}` }
    }
    case 'oneOf':
      return {
        path,
        description: node.description,
        settings: [],
        sections: Object.entries(node.kinds).map(([kind, group]) => ({
          ...sectionOf(group, path),
          path: `${path}\` with \`kind: ${kind}`,
        })),
      }
  }
}

function sections({ path, description, settings, sections: below }: Section, depth: number): string {
  const title = path === '' ? 'The gateway' : `\`${path}\``
  const table =
    settings.length === 0
      ? ''
      : `
| setting | variable | meaning | what to write | default |
|---|---|---|---|---|
${settings.map(([name, setting]) => row(name, setting)).join('')}`
  return (
    `\n${'#'.repeat(depth)} ${title}\n\n${description}\n${table}` +
    below.map((section) => sections(section, Math.min(depth + 1, 5))).join('')
  )
}

function row(name: string, setting: Setting<unknown>): string {
  const { env, hint, fallback, required, secret } = setting
  const variable = env === undefined ? '' : secret === true ? `\`${env}\`, \`${env}_FILE\`` : `\`${env}\``
  const cells = [
    `\`${name}\``,
    variable,
    meaning(setting),
    hint,
    required === true ? '**required**' : asWritten(fallback),
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

/** The description of a setting, and whether it needs a restart. */
function meaning({ description, restart }: Setting<unknown>): string {
  return restart === true ? `${description} Needs a restart.` : description
}

function asWritten(fallback: unknown): string {
  if (fallback === undefined) return 'none'
  if (Array.isArray(fallback)) {
    return fallback.length === 0 ? 'empty' : fallback.map((one) => `\`${String(one)}\``).join(', ')
  }
  return `\`${String(fallback)}\``
}

/** A JSON Schema of the settings file, for editors. The gateway checks more than the schema. */
export function settingsAsJsonSchema(): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of dynamics-gateway',
    ...schemaOf(schema),
  }
}

function schemaOf(node: Node): object {
  switch (node.type) {
    case 'setting':
      return {
        description: `${meaning(node)} Write ${node.hint}.`,
        ...(node.jsonSchema ?? { type: 'string' }),
        ...(node.fallback === undefined ? {} : { default: node.fallback }),
      }
    case 'array':
      return { description: node.description, type: 'array', items: schemaOf(node.items) }
    case 'group':
      return groupSchema(node, {})
    case 'oneOf':
      return {
        description: node.description,
        oneOf: Object.entries(node.kinds).map(([kind, group]) => groupSchema(group, { kind: { const: kind } })),
      }
  }
}

function groupSchema({ description, members }: Group<Members>, also: Readonly<Record<string, object>>): object {
  const required = Object.entries(members)
    .filter(([, member]) => member.type === 'setting' && member.required === true)
    .map(([name]) => name)
  return {
    description,
    type: 'object',
    additionalProperties: false,
    required: [...Object.keys(also), ...required],
    properties: {
      ...also,
      ...Object.fromEntries(Object.entries(members).map(([name, member]) => [name, schemaOf(member)])),
    },
  }
}
