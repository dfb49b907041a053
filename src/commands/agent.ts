import type { Settings } from '../config/schema.ts'
import { createAgent } from '../outbound/agent.ts'
import type { OutboundAgent } from '../outbound/agent.ts'

/** Connections to one origin beyond the concurrency limit: one in reserve, and those whose responses are discarded. */
const EXTRA_CONNECTIONS = 16

/** The agent that all targets share. */
export function agentFor({ targets, proxies }: Settings): OutboundAgent {
  return createAgent({
    connectTimeout: Math.max(...targets.map(({ connectTimeout }) => connectTimeout)),
    connections: targets.reduce((sum, { concurrency }) => sum + concurrency, EXTRA_CONNECTIONS),
    proxies,
  })
}
