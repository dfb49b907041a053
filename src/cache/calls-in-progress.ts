import { Cancellation } from '../dynamics/cancellation.ts'
import type { CancellationHolder } from '../dynamics/cancellation.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { stateByKey } from '../dynamics/state-by-key.ts'

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
  /** The call that started last. */
  latest: Call | undefined
}

/** The calls in progress to one target, by identity and path. */
export function createCallGroups(): (identityAndPath: string) => CallGroup {
  return stateByKey<CallGroup>(
    () => ({ latest: undefined }),
    ({ latest }) => latest === undefined,
  )
}

/** A call in progress. A class, because one is created for every read that may be shared. */
export class Call implements CancellationHolder {
  readonly request: OutboundRequest
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
  readonly #group: CallGroup
  readonly #reject: (reason: Error) => void

  /** Adds the new call to `group`. */
  constructor(
    request: OutboundRequest,
    group: CallGroup,
    changes: number | undefined,
    reject: (reason: Error) => void,
  ) {
    this.request = request
    this.#group = group
    this.changes = changes
    this.previous = group.latest
    group.latest = this
    this.#reject = reject
  }

  /** Removes it from its group: no request joins it any longer. */
  leaveGroup(): void {
    if (this.#group.latest === this) {
      this.#group.latest = this.previous
      return
    }
    let later = this.#group.latest!
    while (later.previous !== this) later = later.previous!
    later.previous = this.previous
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
