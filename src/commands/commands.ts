/** One command of the command line, as `--help` shows it. */
export interface Command {
  readonly about: string
  /** How it is written, behind `dynamics-gateway`. */
  readonly usage: string
  /** Its own options: `parseArgs` takes them as they stand. */
  readonly options: Readonly<
    Record<
      string,
      {
        readonly type: 'string' | 'boolean'
        readonly about: string
        readonly value?: string
      }
    >
  >
  readonly status: string
}

const config = { type: 'string', about: 'settings file, JSON or YAML (or GATEWAY_CONFIG)', value: 'FILE' } as const

/** All commands, in the order in which `--help` lists them. */
export const commands = {
  serve: {
    about: 'runs the gateway (what happens without a command, too)',
    usage: 'serve [--config FILE]',
    options: { config },
    status: '0 after SIGTERM or SIGINT, 1 when the settings are wrong',
  },
  check: {
    about: 'tries every step to each environment, and says how to mend the first that fails',
    usage: 'check [--user E-MAIL] [--json] [--config FILE]',
    options: {
      user: { type: 'string', about: 'also acts as this user', value: 'E-MAIL' },
      json: { type: 'boolean', about: 'prints JSON, for scripts' },
      config,
    },
    status: '0 all well, 1 settings wrong, 2 a step failed',
  },
  login: {
    about: 'signs a person in once, for a delegated credential',
    usage: 'login [--port PORT | --device] [--config FILE]',
    options: {
      port: { type: 'string', about: 'port of the redirect URI http://localhost:PORT (33333)', value: 'PORT' },
      device: { type: 'boolean', about: 'shows a code to enter in a browser elsewhere' },
      config,
    },
    status: '0 signed in, 2 not',
  },
  logout: {
    about: 'forgets the person who signed in',
    usage: 'logout [--config FILE]',
    options: { config },
    status: '0',
  },
  consent: {
    about: 'prints the address at which an administrator consents to the app registration',
    usage: 'consent [--wait] [--port PORT] [--config FILE]',
    options: {
      wait: { type: 'boolean', about: 'waits for the answer at http://localhost:PORT' },
      port: { type: 'string', about: 'port of the redirect URI (33333)', value: 'PORT' },
      config,
    },
    status: '0 printed or granted, 2 refused',
  },
  demo: {
    about: 'runs gateway, Entra and Dynamics in one process, with sample data',
    usage: 'demo [--port PORT] [--throttle] [--fault AADSTSnnn] [--config FILE]',
    options: {
      port: { type: 'string', about: 'port to listen at (PORT, or 8080)', value: 'PORT' },
      throttle: { type: 'boolean', about: 'Dynamics refuses every few requests with 429' },
      fault: {
        type: 'string',
        about: 'Entra refuses with this error, such as AADSTS7000222; shows what `check` says of it',
        value: 'AADSTSnnn',
      },
      config: { ...config, about: 'settings file; its targets are emulated, and its secrets not needed' },
    },
    status: '0 after SIGTERM or SIGINT, 1 when the settings are wrong',
  },
  key: {
    about: 'makes a key for a caller, and prints it with its hash for the settings',
    usage: 'key',
    options: {},
    status: '0',
  },
  healthcheck: {
    about: 'asks a running gateway whether it is ready; for images without a shell',
    usage: 'healthcheck [--config FILE]',
    options: { config },
    status: '0 ready, 1 not',
  },
} as const satisfies Readonly<Record<string, Command>>

export type CommandName = keyof typeof commands

/** What `--help` prints. */
export function overview(version: string): string {
  const lines = Object.entries(commands).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`)
  return `dynamics-gateway ${version}: calls the Dynamics 365 Web API for your apps.

Usage: dynamics-gateway [COMMAND] [OPTIONS]

${lines.join('\n')}

  --help, help COMMAND    says more
  --version               prints the version

Settings come from the environment, or from one file. The least that serve needs:
  DYNAMICS_URL          the environment, such as https://contoso.crm4.dynamics.com
  AZURE_TENANT_ID       the tenant of the app registration
  AZURE_CLIENT_ID       its application (client) id
  AZURE_CLIENT_SECRET   its client secret's value
All others: config/README.md. Try it without any: dynamics-gateway demo
`
}

/** What `help COMMAND` prints. */
export function help(name: CommandName): string {
  const { about, usage, options, status }: Command = commands[name]
  const lines = Object.entries(options).map(
    ([option, { about, value }]) => `  ${`--${option}${value === undefined ? '' : ` ${value}`}`.padEnd(20)}${about}\n`,
  )
  return (
    `Usage: dynamics-gateway ${usage}\n\n${name} ${about}.\n` +
    `${lines.length === 0 ? '' : `\n${lines.join('')}`}\nExit status: ${status}.\n`
  )
}
