import { Cancellation } from '../dynamics/cancellation.ts'
import type { CancellationHolder } from '../dynamics/cancellation.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'

/** A request that waits for the call of another request. */
export interface Waiter {
  readonly request: OutboundRequest
  readonly send: Send
  readonly resolve: (response: UpstreamResponse | Promise<UpstreamResponse>) => void
  readonly reject: (error: unknown) => void
  readonly start: number
}

/** The calls in progress with one identity and path. */
export interface CallGroup {
  /** The identity and the path. */
  readonly name: string
  /** The call that started last. */
  latest: Call | undefined
}

/** The calls in progress to one target. */
export interface CallsInProgress {
  /** The group with this name. If there is none, it is created for a call that starts now. */
  readonly groupOf: (name: string) => CallGroup
  readonly remove: (call: Call) => void
}

/** Creates the list of calls in progress, which is empty. */
export function createCallsInProgress(): CallsInProgress {
  // It has groups as values, and not calls: V8 may keep removed entries of a map in memory for long, and a call
  // references its request. See docs/decisions/cost-of-a-request.md.
  const groups = new Map<string, CallGroup>()

  return {
    groupOf(name) {
      const found = groups.get(name)
      if (found !== undefined) return found
      const group: CallGroup = { name, latest: undefined }
      groups.set(name, group)
      return group
    },
    remove(call) {
      const { group } = call
      if (group.latest === call) {
        group.latest = call.previous
        if (group.latest === undefined) groups.delete(group.name)
        return
      }
      let later = group.latest
      while (later !== undefined && later.previous !== call) later = later.previous
      if (later !== undefined) later.previous = call.previous
    },
  }
}

/** A call in progress. A class, because one is created for every read that may be shared. */
export class Call implements CancellationHolder {
  readonly request: OutboundRequest
  readonly group: CallGroup
  /** The key of the request that started it. It is made when another request has the same identity and path. */
  key: string | undefined = undefined
  /**
   * The number of changes when it started. After another change no request joins: the call may have missed that change.
   */
  readonly changes: number | undefined
  /** Ends the call itself. The cancellation of one request does not end it while others wait. */
  readonly cancellation = new Cancellation()
  /** The other requests that wait for it; `undefined` until one does. */
  waiters: Set<Waiter> | undefined = undefined
  /** Whether the request that started it still waits. */
  firstCallerWaits = true
  /** The call with the same identity and path that started before this one. */
  previous: Call | undefined
  readonly #reject: (reason: Error) => void

  /** Adds the new call to `group`. */
  constructor(
    request: OutboundRequest,
    group: CallGroup,
    changes: number | undefined,
    reject: (reason: Error) => void,
  ) {
    this.request = request
    this.group = group
    this.changes = changes
    this.previous = group.latest
    group.latest = this
    this.#reject = reject
  }

  get isShared(): boolean {
    return this.waiters !== undefined && this.waiters.size > 0
  }

  /** The request that started it ended early. */
  onCancelled(reason: Error): void {
    this.firstCallerWaits = false
    if (this.isShared) this.#reject(reason)
    else this.cancellation.cancel(reason)
  }

  removeWaiter(waiter: Waiter): void {
    this.waiters!.delete(waiter)
    waiter.request.timings.dynamics += performance.now() - waiter.start
  }

  /** Removes all waiters, and returns them. */
  removeAllWaiters(): Waiter[] {
    const all = [...(this.waiters ?? [])]
    for (const waiter of all) this.removeWaiter(waiter)
    return all
  }
}
