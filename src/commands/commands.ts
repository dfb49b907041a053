import { command, emulatedFault, portFrom } from './command.ts'
import type { Command } from './command.ts'
import { withSettings } from './with-settings.ts'

const config = {
  type: 'string',
  description: 'settings file, JSON or YAML (or GATEWAY_CONFIG)',
  value: 'FILE',
} as const
const redirectPort = {
  type: 'string',
  description: 'port of the redirect URI http://localhost:PORT (default 33333)',
  value: 'PORT',
  parse: portFrom(1),
} as const

const fault = {
  type: 'string',
  description:
    'emulates an error of Entra, such as AADSTS7000222, or no-application-user, no-delegate, no-privilege, ip-firewall, maintenance',
  value: 'FAULT',
  parse: emulatedFault,
} as const

/** All commands, in the order in which `--help` lists them. Each loads its module only when it runs. */
export const commands = {
  serve: command({
    description: 'runs the gateway; the default without a command',
    usage: 'serve [--config FILE]',
    options: { config },
    status: '0 after SIGTERM or SIGINT, 1 if the settings are invalid',
    run: async (options, io) => (await import('./serve/serve.ts')).serve(options, io),
  }),
  check: command({
    description: 'tests each step of a call to each environment, and explains how to fix the first failure',
    usage: 'check [--user E-MAIL] [--token-file FILE] [--json] [--config FILE]',
    options: {
      user: { type: 'string', description: 'also acts as this user', value: 'E-MAIL' },
      'token-file': {
        type: 'string',
        description: 'also tests the token of a signed-in person, for userFrom: on-behalf-of',
        value: 'FILE',
      },
      json: { type: 'boolean', description: 'prints JSON, for scripts' },
      config,
    },
    status: '0 all steps passed, 1 invalid settings, 2 a step failed',
    run: async (options, io) =>
      (await import('./check/check.ts')).check(options, await withSettings(options.config, io)),
  }),
  login: command({
    description: 'signs a person in once, for a delegated credential',
    usage: 'login [--port PORT | --device] [--config FILE]',
    options: {
      port: redirectPort,
      device: { type: 'boolean', description: 'shows a code to enter in a browser on another device' },
      config,
    },
    status: '0 signed in, 1 invalid settings, 2 not signed in',
    run: async (options, io) =>
      (await import('./login/login.ts')).login(options, await withSettings(options.config, io)),
  }),
  logout: command({
    description: 'removes the stored sign-in',
    usage: 'logout [--config FILE]',
    options: { config },
    status: '0 no sign-in is stored any more, 1 invalid settings',
    run: async (options, io) =>
      (await import('./login/logout.ts')).logout(options, await withSettings(options.config, io)),
  }),
  consent: command({
    description: 'prints the URL where an administrator grants consent to the app registration',
    usage: 'consent [--wait] [--port PORT] [--config FILE]',
    options: {
      wait: { type: 'boolean', description: 'waits for the result at http://localhost:PORT' },
      port: redirectPort,
      config,
    },
    status: '0 printed or granted, 1 invalid settings, 2 refused',
    run: async (options, io) => (await import('./consent.ts')).consent(options, await withSettings(options.config, io)),
  }),
  demo: command({
    description: 'runs the gateway with an emulated Entra and Dynamics 365 and sample data',
    usage: 'demo [--port PORT] [--throttle] [--fault FAULT] [--config FILE]',
    options: {
      port: {
        type: 'string',
        description: 'port to listen on (default PORT, or 8080)',
        value: 'PORT',
        parse: portFrom(0),
      },
      throttle: { type: 'boolean', description: 'Dynamics answers every fourth request with 429' },
      fault: { ...fault, description: `${fault.description}; prints what \`check\` reports about it` },
      config: {
        ...config,
        description: 'settings file; its environments are emulated, and its secrets are not needed',
      },
    },
    status: '0 after SIGTERM or SIGINT, 1 if the settings are invalid',
    run: async (options, io) => (await import('./demo/demo.ts')).demo(options, io),
  }),
  emulator: command({
    description: 'serves only the emulated Entra and Dynamics 365, for tests of other programs',
    usage: 'emulator [--port PORT] [--certificate FILE --key FILE] [--fault FAULT]',
    options: {
      port: {
        type: 'string',
        description: 'port to listen on, on loopback (default 8090; 0 for any free port)',
        value: 'PORT',
        parse: portFrom(0),
      },
      certificate: { type: 'string', description: 'serves HTTPS with this certificate (PEM)', value: 'FILE' },
      key: { type: 'string', description: 'the private key of the certificate (PEM)', value: 'FILE' },
      fault,
    },
    status: '0 after SIGTERM or SIGINT, 1 if the port or a file cannot be used',
    run: async (options, io) => (await import('./emulator.ts')).emulator(options, io),
  }),
  key: command({
    description: 'generates a key for a caller, and prints it with its hash for the settings',
    usage: 'key',
    options: {},
    status: '0',
    run: async (options, io) => (await import('./key.ts')).key(options, io),
  }),
  healthcheck: command({
    description: 'asks a running gateway whether it is ready, for images without a shell',
    usage: 'healthcheck [--config FILE]',
    options: { config },
    status: '0 ready, 1 not ready',
    run: async (options, io) => {
      const { loadListener } = await import('../config/load.ts')
      const { environment } = await import('../config/process-variables.ts')
      const { healthcheck } = await import('./healthcheck.ts')
      return healthcheck(loadListener(environment(), options.config), io.stderr)
    },
  }),
} satisfies Readonly<Record<string, Command>>

export type CommandName = keyof typeof commands
