import type { Command } from './command.ts'
import { commands } from './commands.ts'
import type { CommandName } from './commands.ts'

/** What `--help` prints. */
export function overview(version: string): string {
  const lines = Object.entries(commands).map(([name, { description }]) => `  ${name.padEnd(12)}${description}`)
  return `dynamics-gateway ${version}: calls the Dynamics 365 Web API for your apps.

Usage: dynamics-gateway [COMMAND] [OPTIONS]

${lines.join('\n')}

  help COMMAND  describes a command and its options (also COMMAND --help)
  --version     prints the version

Settings come from environment variables or from one file. The minimum for serve:
  DYNAMICS_URL          URL of the environment, such as https://contoso.crm4.dynamics.com
  AZURE_TENANT_ID       tenant of the app registration
  AZURE_CLIENT_ID       application (client) id of the app registration
  AZURE_CLIENT_SECRET   value of its client secret
config/README.md describes all settings. To try the gateway without any: dynamics-gateway demo
`
}

/** What `help COMMAND` prints. */
export function help(name: CommandName): string {
  const { description, usage, options, status }: Command = commands[name]
  const lines = Object.entries(options).map(
    ([option, { description, value }]) =>
      `  ${`--${option}${value === undefined ? '' : ` ${value}`}`.padEnd(20)}${description}\n`,
  )
  return (
    `Usage: dynamics-gateway ${usage}\n\n${name} ${description}.\n` +
    `${lines.length === 0 ? '' : `\n${lines.join('')}`}\nExit status: ${status}.\n`
  )
}
