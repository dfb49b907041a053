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

const FOREWORD = `<!-- Printed from the schema by \`npm run docs\`; changes by hand are lost. -->
# Settings

The environment describes one target. A file describes any number of them, and callers.

\`\`\`sh
dynamics-gateway serve                              # from the environment, and from .env in the working folder
dynamics-gateway serve --config config/gateway.yaml # from a JSON or YAML file; or set GATEWAY_CONFIG
\`\`\`

- Settings of the process (\`HOST\`, \`LOG_LEVEL\` …) can be in either; the environment takes precedence. Targets never mix: with a
  file, a variable that describes a target is an error. (\`AZURE_…\` variables are allowed: a file can take its secrets from them.)
- A variable of the environment takes precedence over the same one in \`.env\`. An empty variable counts as unset.
- \`.env\` is read in UTF-8, as Docker Compose reads it: \`NAME=value\` or \`NAME: value\`, in quotes if the value contains \` #\`. Any other
  line is an error. \`NODE_EXTRA_CA_CERTS\` and other variables of Node only have an effect when they are set for the process.
- An unknown name is an error in a file and in \`.env\`. In the environment, which belongs to other programs too, a variable that
  looks like a setting is a warning, or an error if a variable of a target is misspelt and missing.
- Leftovers of templates and web pages are errors: \`\${NAME}\`, \`{subdomain}\`, \`<secret>\`, \`your-secret-here\`, curly quotes, invisible
  characters. All errors are shown at once, each with its fix.
- SIGHUP reads all settings again. Settings that need a restart say so.
- **Times** are written \`1500ms\`, \`10s\`, \`5m\`, \`1h\`. **Sizes** are written \`500B\`, \`64KiB\`, \`128MiB\`, \`1GiB\`.
  **Lists** are lists in a file, and separated by commas in a variable.
- **Secrets** are never in the file, which has \`{ env: NAME }\` or \`{ file: path }\` instead. Each secret variable \`NAME\` can be replaced by
  \`NAME_FILE\`, the path of a file with the secret; setting both is an error. A secret's file is read again when it changes.
- In the environment, the variables that are set choose the kind of credential: ${orList(CHOOSING_VARIABLES.map((name) => `\`${name}\``))}. Without any of them and without \`AZURE_TENANT_ID\` it is a managed identity. \`CREDENTIAL\`
  chooses a kind without such a variable, for example \`CREDENTIAL=delegated\`. Variables of two kinds, or of another kind than \`CREDENTIAL\`, are an error.
  If a platform sets \`AZURE_FEDERATED_TOKEN_FILE\`, make it empty to use another kind.
- \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`ALL_PROXY\` and \`NO_PROXY\`, in upper or lower case (lower case takes precedence, as with curl), configure the network's proxy. They are
  checked at start: only \`http://\` and \`https://\` proxies, with characters such as \`#\`, \`/\` or \`@\` percent-encoded in name and password. \`NO_PROXY\` lists names,
  \`.suffixes\`, addresses and networks (\`10.0.0.0/8\`), with or without \`:port\`. Loopback and the endpoints of managed identities are always reached directly.
- Tracing has OpenTelemetry's own variables: \`OTEL_EXPORTER_OTLP_ENDPOINT\` switches it on; \`OTEL_EXPORTER_OTLP_HEADERS\`, \`OTEL_EXPORTER_OTLP_PROTOCOL\` (\`http/protobuf\`, \`http/json\`),
  \`OTEL_EXPORTER_OTLP_TIMEOUT\`, \`OTEL_EXPORTER_OTLP_COMPRESSION\`, \`OTEL_EXPORTER_OTLP_CERTIFICATE\`, \`OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE\`, \`OTEL_EXPORTER_OTLP_CLIENT_KEY\`, all of them also as \`OTEL_EXPORTER_OTLP_TRACES_…\`;
  \`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\`, \`OTEL_TRACES_SAMPLER\`, \`OTEL_TRACES_SAMPLER_ARG\`, \`OTEL_TRACES_EXPORTER\` (\`otlp\`, \`none\`), \`OTEL_BSP_SCHEDULE_DELAY\`, \`OTEL_BSP_MAX_EXPORT_BATCH_SIZE\` and \`OTEL_SDK_DISABLED\`. They are checked at start and need a restart; other names that begin with \`OTEL_\` are ignored.
- \`NODE_EXTRA_CA_CERTS\` adds certificate authorities, as in every Node program.
- Examples are next to this file. For completion in an editor, start a YAML file with
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
      // Lists of single values are settings.
      const of = sectionOf(node.items as Group<Members>, `${path}[]`)
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
export function meaning({ description, restart }: Setting<unknown>): string {
  return restart === true ? `${description} Needs a restart.` : description
}

function asWritten(fallback: unknown): string {
  if (fallback === undefined) return 'none'
  if (Array.isArray(fallback)) {
    return fallback.length === 0 ? 'empty' : fallback.map((one) => `\`${String(one)}\``).join(', ')
  }
  return `\`${String(fallback)}\``
}
