import { randomUUID } from 'node:crypto'

import { LRUCache } from 'lru-cache'

import type { RedisLink } from './redis-link.ts'
import { integerReply, textReply } from './redis-reply.ts'
import type { Seal } from './seal.ts'
import type { Listener, SharedState, SharedValue } from './shared-state.ts'

/** The prefix of all keys and of the channel, with the version of the format. */
export const PREFIX = 'dynamics-gateway:1:'
export const CHANNEL = `${PREFIX}messages`

/** The greatest difference of clocks. Entra accepts the same. Older messages are ignored. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000

/** The most pairs of sender and topic whose last message is remembered. */
const MAX_SENDER_TOPICS = 1000

/** The shared state of one target, in Redis. */
export interface RedisState {
  readonly state: Omit<SharedState, 'status' | 'close'>
  /** Handles a message that was sealed for this scope. */
  readonly receive: (sealed: string) => void
  /** Reads the messages that were published while this replica was disconnected. */
  readonly catchUp: () => void
  readonly setReplicas: (replicas: number) => void
}

/** A message between replicas. */
interface Message {
  readonly topic: string
  readonly text: string
  readonly ttl: number
  /** The time of sending by the sender's clock, in milliseconds. */
  readonly sent: number
  /** The id of the sender, which is new after each start. */
  readonly from: string
  /** The number of messages that the sender had sent before. */
  readonly sequence: number
}

/**
 * Shares state through `link`. Every value is sealed together with its expiry, so that write access to Redis cannot
 * extend it. Repeated messages, and messages that arrive after a later one of the same sender and topic, are ignored.
 *
 * @param sealNow returns the seal with the current secret
 */
export function createRedisState(link: RedisLink, sealNow: () => Seal): RedisState {
  const self = randomUUID()
  const listeners = new Map<string, Listener[]>()
  /** The sequence number of the last message, by sender and topic. */
  const received = new LRUCache<string, number>({ max: MAX_SENDER_TOPICS })
  let sequence = 0
  const replicaListeners: ((replicas: number) => void)[] = []
  let replicaCount = 1

  async function get(key: string): Promise<SharedValue | undefined> {
    const seal = sealNow()
    const name = seal.name(key)
    const [sealed, expiresIn] = await link.run<readonly [string | null, number]>(
      async (send) => {
        const [sealed, expiresIn] = await Promise.all([send(['GET', PREFIX + name]), send(['PTTL', PREFIX + name])])
        return [textReply(sealed), integerReply(expiresIn)]
      },
      [null, 0],
    )
    const text = sealed === null ? undefined : seal.decrypt(name, sealed)
    if (text === undefined) return undefined
    const { value, until } = JSON.parse(text) as { value: string; until: number }
    // The expiry in Redis applies too: by a slow clock of this machine the value would live longer.
    const remainingMs = Math.min(until - Date.now(), expiresIn)
    return remainingMs > 0 ? { value, remainingMs } : undefined
  }

  async function set(key: string, value: string, ttl: number): Promise<void> {
    const seal = sealNow()
    const name = seal.name(key)
    const sealed = seal.encrypt(name, JSON.stringify({ value, until: Date.now() + ttl }))
    await link.run((send) => send(['SET', PREFIX + name, sealed, 'PX', integerText(ttl)]), undefined)
  }

  async function catchUpOn(topic: string): Promise<void> {
    const last = await get(lastMessageKey(topic))
    if (last !== undefined) deliver(JSON.parse(last.value) as Message, last.remainingMs)
  }

  function deliver({ topic, text, from, sequence }: Message, remainingMs: number): void {
    const called = listeners.get(topic)
    const sender = `${from} ${topic}`
    // A pushed message may be read again under the key of its topic, and anybody with access to Redis may repeat it.
    const isNew = sequence > (received.get(sender) ?? -1)
    if (called === undefined || from === self || !isNew) return
    received.set(sender, sequence)
    for (const listener of called) listener(text, remainingMs)
  }

  return {
    state: {
      get,
      set,
      publish(topic, text, ttl) {
        const seal = sealNow()
        const message: Message = { topic, text, ttl, sent: Date.now(), from: self, sequence: sequence++ }
        const json = JSON.stringify(message)
        const sealed = seal.encrypt(seal.id, json)
        void link.run((send) => send(['PUBLISH', CHANNEL, `${seal.id}.${sealed}`]), undefined)
        if (ttl > 0) void set(lastMessageKey(topic), json, ttl)
      },
      subscribe(topic, listener) {
        listeners.set(topic, [...(listeners.get(topic) ?? []), listener])
        void catchUpOn(topic)
      },
      onReplicas: (listener) => void replicaListeners.push(listener),
    },
    receive(sealed) {
      const seal = sealNow()
      const text = seal.decrypt(seal.id, sealed)
      if (text === undefined) return
      const message = JSON.parse(text) as Message
      const { ttl } = message
      const age = Date.now() - message.sent
      if (Math.abs(age) > MAX_CLOCK_DIFFERENCE_MS || (ttl > 0 && age >= ttl)) return
      deliver(message, Math.min(ttl, ttl - age))
    },
    catchUp() {
      for (const topic of listeners.keys()) void catchUpOn(topic)
    },
    setReplicas(replicas) {
      if (replicas === replicaCount) return
      replicaCount = replicas
      for (const watcher of replicaListeners) watcher(replicas)
    },
  }
}

/** Splits a message of the channel into its scope and its sealed content. */
export function parseMessage(message: string): { readonly scope: string; readonly sealed: string } {
  const dot = message.indexOf('.')
  return { scope: message.slice(0, dot), sealed: message.slice(dot + 1) }
}

/** The key of the last message of a topic. */
function lastMessageKey(topic: string): string {
  return `topic ${topic}`
}

/** Milliseconds as Redis accepts them: an integer of at least 1. */
function integerText(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds)))
}
