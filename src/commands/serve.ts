import type { Logger } from 'pino'

import { createGateway } from '../app.ts'
import type { Gateway } from '../app.ts'
import type { Settings } from '../config.ts'
import { createAgent } from '../dynamics/agent.ts'
import type { OutboundAgent } from '../dynamics/agent.ts'
import { createLog } from '../observe/log.ts'
import { listen } from './listen.ts'

/** How long connections that carry no request may still bring one after the gateway was told to stop. */
const LINGER = 300

/** A gateway that runs. */
export interface Running {
  /** Where it listens. */
  readonly address: string
  readonly log: Logger
  /** Ends when the gateway has stopped. */
  readonly stopped: Promise<void>
  /** Not ready from now on; running requests finish, then `stopped` ends. A second call ends it at once. */
  readonly stop: () => void
}

/** Runs the gateway until it is told to stop, and gives the exit status. */
export async function serve(settings: Settings): Promise<number> {
  const log = await createLog(settings)
  const running = await run(settings, log, agentFor(settings))
  const stop = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'stopping')
    running.stop()
  }
  process.on('SIGTERM', stop).on('SIGINT', stop)
  await running.stopped
  log.info('stopped')
  log.flush()
  return 0
}

/** The agent that all targets share. */
export function agentFor({ targets }: Settings): OutboundAgent {
  return createAgent({
    connectTimeout: Math.max(...targets.map(({ connectTimeout }) => connectTimeout)),
    connections: Math.max(...targets.map(({ concurrency }) => concurrency)) + 16,
  })
}

/** Starts a gateway on `agent`. */
export async function run(settings: Settings, log: Logger, agent: OutboundAgent): Promise<Running> {
  const gateway = await createGateway(settings, { agent, log })
  const address = await listen(gateway, settings)
  for (const { name, url, credential, impersonation } of settings.targets) {
    log.info({ target: name, environment: url.origin, apiRoot: url.apiRoot, credential: credential.kind, impersonation: impersonation.mode }, 'forwards')
  }
  log.info({ address }, 'listening')
  let calls = 0
  let end: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => { end = resolve })
  return {
    address,
    log,
    stopped,
    stop: () => {
      calls += 1
      if (calls === 1) drain(gateway, settings.shutdownTimeout).then(() => agent.close()).then(end, end)
      if (calls === 2) cut(gateway)
    },
  }
}

/** Lets running requests finish, for `patience` milliseconds at most. */
async function drain(gateway: Gateway, patience: number): Promise<void> {
  gateway.stop()
  const late = setTimeout(() => cut(gateway), patience)
  await new Promise((resolve) => setTimeout(resolve, LINGER))
  await gateway.app.close()
  clearTimeout(late)
}

function cut({ app }: Gateway): void {
  app.server.closeAllConnections()
}
