import { randomUUID } from 'node:crypto'

import { LRUCache } from 'lru-cache'

import type { RedisLink } from './redis-link.ts'
import type { Seal } from './seal.ts'
import type { Listener, SharedState, SharedValue } from './shared-state.ts'

/** All keys and the channel begin with it. The number is that of the format. */
export const PREFIX = 'dynamics-gateway:1:'
export const CHANNEL = `${PREFIX}messages`

/** Entra takes clocks that differ by as much. Older messages are not believed. */
const MAX_CLOCK_DIFFERENCE_MS = 5 * 60_000

/** Senders and topics of which the last message is remembered. */
const MAX_SENDER_TOPICS = 1000

/** What is shared through one connection to a target. */
export interface Share {
  readonly state: Omit<SharedState, 'status' | 'close'>
  /** Takes in a message that was sealed for this scope. */
  readonly receive: (sealed: string) => void
  /** Takes in what was published while this replica was not connected. */
  readonly catchUp: () => void
  readonly count: (replicas: number) => void
}

/** A message between replicas. */
interface Message {
  readonly topic: string
  readonly text: string
  readonly ttl: number
  /** By the clock of the sender, in milliseconds. */
  readonly sent: number
  /** The sender, which has another id after each start, and how many messages it had sent before. */
  readonly from: string
  readonly sequence: number
}

/**
 * Shares through `link`. Everything is sealed, with the time until which it counts: nobody who can write to Redis can
 * make it count for longer. Of one sender and topic, no message counts after a later one, or twice.
 *
 * @param sealNow the seal with the present secret
 */
export function createShare(link: RedisLink, sealNow: () => Seal): Share {
  const self = randomUUID()
  const listeners = new Map<string, Listener[]>()
  /** The number of the last message, by sender and topic. */
  const received = new LRUCache<string, number>({ max: MAX_SENDER_TOPICS })
  let sequence = 0
  const watchers: ((replicas: number) => void)[] = []
  let counted = 1

  async function get(key: string): Promise<SharedValue | undefined> {
    const seal = sealNow()
    const name = seal.name(key)
    const [sealed, expiresIn] = await link.run<readonly [string | null, number]>(
      (send) => Promise.all([send<string | null>(['GET', PREFIX + name]), send<number>(['PTTL', PREFIX + name])]),
      [null, 0],
    )
    const text = sealed === null ? undefined : seal.open(name, sealed)
    if (text === undefined) return undefined
    const { value, until } = JSON.parse(text) as { value: string; until: number }
    // Redis' own time counts too: by a clock that is slow, what another replica has set would count for longer.
    const left = Math.min(until - Date.now(), expiresIn)
    return left > 0 ? { value, left } : undefined
  }

  async function set(key: string, value: string, ttl: number): Promise<void> {
    const seal = sealNow()
    const name = seal.name(key)
    const sealed = seal.close(name, JSON.stringify({ value, until: Date.now() + ttl }))
    await link.run((send) => send(['SET', PREFIX + name, sealed, 'PX', whole(ttl)]), undefined)
  }

  async function catchUpOn(topic: string): Promise<void> {
    const last = await get(lastOf(topic))
    if (last !== undefined) deliver(JSON.parse(last.value) as Message, last.left)
  }

  function deliver({ topic, text, from, sequence }: Message, left: number): void {
    const called = listeners.get(topic)
    const sender = `${from} ${topic}`
    // What is pushed may be read again with the key of the topic, and sent again by anybody.
    const isNew = sequence > (received.get(sender) ?? -1)
    if (called === undefined || from === self || !isNew) return
    received.set(sender, sequence)
    for (const listener of called) listener(text, left)
  }

  return {
    state: {
      get,
      set,
      lock(key, ttl) {
        const words = ['SET', PREFIX + sealNow().name(key), '', 'NX', 'PX', whole(ttl)]
        return link.run(async (send) => ((await send<string | null>(words)) === null ? 'held' : 'got'), 'broken')
      },
      publish(topic, text, ttl) {
        const seal = sealNow()
        const message: Message = { topic, text, ttl, sent: Date.now(), from: self, sequence: sequence++ }
        const written = JSON.stringify(message)
        const sealed = seal.close(seal.id, written)
        void link.run((send) => send(['PUBLISH', CHANNEL, `${seal.id}.${sealed}`]), undefined)
        if (ttl > 0) void set(lastOf(topic), written, ttl)
      },
      subscribe(topic, listener) {
        listeners.set(topic, [...(listeners.get(topic) ?? []), listener])
        void catchUpOn(topic)
      },
      onReplicas: (watcher) => void watchers.push(watcher),
    },
    receive(sealed) {
      const seal = sealNow()
      const text = seal.open(seal.id, sealed)
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
    count(replicas) {
      if (replicas === counted) return
      counted = replicas
      for (const watcher of watchers) watcher(replicas)
    },
  }
}

/** Splits what comes through the channel: for whom it is, and what it is. */
export function addressed(message: string): { readonly scope: string; readonly sealed: string } {
  const dot = message.indexOf('.')
  return { scope: message.slice(0, dot), sealed: message.slice(dot + 1) }
}

/** The key under which the last message of a topic is kept. */
function lastOf(topic: string): string {
  return `topic ${topic}`
}

/** Redis takes whole milliseconds, and at least one. */
function whole(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds)))
}
