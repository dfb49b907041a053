import type { Logger } from 'pino'

import { cacheReads } from './cache/read-cache.ts'
import type { ResponseMemory } from './cache/response-memory.ts'
import { runsAsCaller } from './config/credential.ts'
import type { Target } from './config/schema.ts'
import { connectCredential } from './credentials/connect-credential.ts'
import type { ConnectedCredential } from './credentials/connect-credential.ts'
import type { AccessTokens } from './credentials/credential.ts'
import { connect } from './dynamics/connect.ts'
import type { Connection } from './dynamics/connect.ts'
import type { OnEvent } from './dynamics/events.ts'
import type { Send } from './dynamics/send.ts'
import { UserTokenRequired } from './errors.ts'
import { createActivity } from './observe/activity.ts'
import type { Activity } from './observe/activity.ts'
import type { Metrics } from './observe/metrics.ts'
import type { OutboundAgent } from './outbound/agent.ts'
import type { Replicas, SharedState } from './replicas/shared-state.ts'
import { userDirectory } from './users/directory.ts'
import type { UserDirectory } from './users/directory.ts'
import { preloadUsers } from './users/preloaded-users.ts'
import { shareUsers } from './users/shared-users.ts'

/** A target with its runtime state. */
export interface TargetRuntime {
  /** For logs, metrics and messages. */
  readonly name: string
  /** `/sales`, or empty for a single target. */
  readonly prefix: string
  readonly target: Target
  readonly credential: ConnectedCredential
  readonly connection: Connection
  /** The way to the target for callers: reads may be answered from memory. */
  readonly send: Send
  readonly directory: UserDirectory
  /** How it is connected with other replicas. */
  readonly sharing: SharedState['status']
  /** Recent events, for the status page. */
  readonly activity: Activity
  /** Fetches the first token, opens the first connection to Dynamics, and reads users ahead where that is set. */
  readonly warmUp: () => void
  /** Ends what it does by itself. Requests that still run end as they would have. */
  readonly close: () => void
}

interface Dependencies {
  readonly agent: OutboundAgent
  readonly log: Logger
  readonly metrics: Metrics
  /** The largest body that a caller may send, in bytes. */
  readonly bodyLimit: number
  readonly replicas: Replicas
  /** For responses that are kept. */
  readonly memory: ResponseMemory
}

/** Creates the runtime of `target`, without requests to Entra or Dynamics. */
export function createTargetRuntime(
  target: Target,
  { agent, log, metrics, bodyLimit, replicas, memory }: Dependencies,
): TargetRuntime {
  const name = target.name ?? 'dynamics'
  const targetLog = target.name === undefined ? log : log.child({ target: name })
  const credential = connectCredential(target, { agent: agent.reads, log: targetLog })
  const state = replicas.of(target)
  const activity = createActivity()
  const count = metrics.watch(name)
  const onEvent: OnEvent = (event) => {
    count(event)
    activity.watch(event)
  }
  const connection = connect(target, {
    agent,
    credential: runsAsCaller(target.credential) ? withoutOwnToken(credential) : credential,
    onEvent,
    log,
    bodyLimit,
    state,
  })
  const preloaded = target.users.preload ? preloadUsers(connection.send, target, targetLog) : undefined
  const directory = userDirectory(connection.send, target, shareUsers(state, target), preloaded)
  let releaseReserve: (() => void) | undefined
  metrics.show(name, {
    credential: credential.state,
    connection: connection.state,
    users: directory.cached,
    sharing: state.status,
  })
  return {
    name,
    prefix: prefixOf(target),
    target,
    credential,
    connection,
    send: cacheReads(connection.send, { target, name, memory, state, onUsersChanged: preloaded?.onChange }),
    directory,
    sharing: state.status,
    activity,
    warmUp() {
      credential.warmUp()
      releaseReserve = agent.keepWarm?.(target.url.origin)
      preloaded?.start()
    },
    close() {
      preloaded?.close()
      state.close()
      releaseReserve?.()
      credential.close()
    },
  }
}

/** For a target that is never reached as the application. */
function withoutOwnToken({ discard }: AccessTokens): AccessTokens {
  return { authorization: () => Promise.reject(new UserTokenRequired()), discard }
}

/** The path below which callers find `target`. */
export function prefixOf({ name }: Pick<Target, 'name'>): string {
  return name === undefined ? '' : `/${name}`
}
