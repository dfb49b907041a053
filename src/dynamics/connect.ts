import type { Target } from '../config.ts'
import type { Credential } from '../credentials/credential.ts'
import type { OutboundAgent } from './agent.ts'
import { authorize } from './authorize.ts'
import { dispatch } from './dispatch.ts'
import { explainFailures } from './failures.ts'
import { keepBody } from './keep-body.ts'
import type { Send } from './send.ts'
import { turnInward } from './turn-inward.ts'
import type { Log, Watch } from './watch.ts'

/** The way to one target. */
export interface Connection {
  readonly send: Send
  /** Ends timers. */
  readonly close: () => void
}

export interface ConnectOptions {
  readonly agent: Pick<OutboundAgent, 'reads' | 'writes'>
  readonly credential: Credential
  readonly watch: Watch
  readonly log: Log
  /** The largest body that a caller may send, in bytes. */
  readonly bodyLimit: number
}

/** How to speak to `target`. Each step wraps the one above it, so a request meets the last one first. */
export function connect(target: Target, { agent, credential, watch, bodyLimit }: ConnectOptions): Connection {
  const patience = { connect: target.connectTimeout, head: target.requestTimeout, idle: target.idleTimeout }

  let send = dispatch(agent, target.url.origin, patience, () => undefined)
  send = authorize(send, credential, watch)
  send = explainFailures(send, patience)
  send = turnInward(send, bodyLimit)
  send = keepBody(send, target.keepBody)

  return { send, close: () => {} }
}
