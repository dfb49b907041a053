import { setImmediate as nextEventLoopTurn } from 'node:timers/promises'

import { Cancellation } from '../dynamics/cancellation.ts'
import type { CancelHolder } from '../dynamics/cancellation.ts'
import { withCancellation } from '../dynamics/send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { OwnError } from '../logging/own-error.ts'
import { bufferPrefix } from './buffer-prefix.ts'
import { keyOf } from './key.ts'

/**
 * The longest body that is shared, in bytes. It is read completely before it is sent to the callers, because they read
 * at different speeds. The response with a longer body goes to the first caller; the other requests are sent on their
 * own.
 */
const MAX_SHARED_BYTES = 1024 * 1024

/**
 * Sends a cacheable read, or lets it wait for an identical one that is in progress and has no response yet. A failure
 * of that call fails all of them.
 */
export type SharedCalls = (request: OutboundRequest, send: Send) => Promise<UpstreamResponse>

/** A request that waits for the call of another request. */
interface Waiter {
  readonly request: OutboundRequest
  readonly send: Send
  readonly resolve: (response: UpstreamResponse | Promise<UpstreamResponse>) => void
  readonly reject: (error: unknown) => void
  readonly start: number
}

/**
 * The calls with one identity and path. The map holds lanes, and not calls, because V8 keeps what was once in a map until
 * its next full collection, and a call holds on to all of its request.
 */
interface Lane {
  readonly name: string
  /** The latest call. */
  first: Call | undefined
}

/** A call in progress. It is a class with fields for the usual case, because every read may be shared. */
class Call implements CancelHolder {
  readonly request: OutboundRequest
  readonly lane: Lane
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
  /** Another call with the same identity and path, and another key. */
  next: Call | undefined
  readonly #reject: (reason: Error) => void

  constructor(request: OutboundRequest, lane: Lane, changes: number | undefined, reject: (reason: Error) => void) {
    this.request = request
    this.lane = lane
    this.changes = changes
    this.next = lane.first
    lane.first = this
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
}

/**
 * @param target the name of the target, which no other target has
 * @param changes the number of completed writes; `undefined` while it is not known: then nothing is shared
 */
export function shareCalls(target: string, changes: () => number | undefined): SharedCalls {
  /** By identity and path. A key is made only when two requests have the same. */
  const lanes = new Map<string, Lane>()

  return (request, send) => {
    if (changes() === undefined) return send(request)
    const name = `${request.cacheableRead!.identity} ${request.path}`
    const lane = lanes.get(name)
    let key: string | undefined
    for (let call = lane?.first; call !== undefined; call = call.next) {
      if (!mayJoin(call, request)) continue
      key ??= keyOf(target, request, 'shared call')
      if (key === undefined) return send(request)
      if ((call.key ??= keyOf(target, call.request, 'shared call')) === key) return joinCall(call, request, send)
    }
    return startCall(request, lane ?? addLane(name), send)
  }

  /**
   * Whether it may wait for the call, if its key is the same. A call that is still queued behind requests of its own
   * caller must not delay the request of another caller.
   */
  function mayJoin({ request, changes: atStart }: Call, { fairnessKey }: OutboundRequest): boolean {
    return (request.record.sent || request.fairnessKey === fairnessKey) && atStart === changes()
  }

  function startCall(request: OutboundRequest, lane: Lane, send: Send): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      const call = new Call(request, lane, changes(), reject)
      request.cancellation.hold(call)
      send(withCancellation(request, call.cancellation)).then(
        (response) => {
          removeCall(call)
          if (!call.isShared) return resolve(response)
          void distribute(call, response, resolve, reject)
        },
        (error: unknown) => {
          removeCall(call)
          request.cancellation.release(call)
          reject(error)
          for (const waiter of removeAllWaiters(call)) waiter.reject(error)
        },
      )
    })
  }

  async function joinCall(call: Call, request: OutboundRequest, send: Send): Promise<UpstreamResponse> {
    const { cancellation } = request
    return cancellation.wait<UpstreamResponse | Promise<UpstreamResponse>>((resolve, reject) => {
      const waiter: Waiter = { request, send, resolve, reject, start: performance.now() }
      const waiters = (call.waiters ??= new Set())
      waiters.add(waiter)
      return () => {
        waiters.delete(waiter)
        if (waiters.size === 0 && !call.firstCallerWaits) call.cancellation.cancel(cancellation.reason!)
      }
    })
  }

  function addLane(name: string): Lane {
    const lane: Lane = { name, first: undefined }
    lanes.set(name, lane)
    return lane
  }

  function removeCall(call: Call): void {
    const { lane } = call
    if (lane.first === call) {
      lane.first = call.next
      if (lane.first === undefined) lanes.delete(lane.name)
      return
    }
    let before = lane.first
    while (before !== undefined && before.next !== call) before = before.next
    if (before !== undefined) before.next = call.next
  }

  /** Sends the response to all requests that still wait. */
  async function distribute(
    call: Call,
    response: UpstreamResponse,
    resolve: (response: UpstreamResponse) => void,
    reject: (error: unknown) => void,
  ): Promise<void> {
    const { status, headers } = response
    const abandon = (): void => call.cancellation.cancel(new OwnError('no request waits for the response any longer'))
    try {
      const prefix = await bufferPrefix(response.body, MAX_SHARED_BYTES, abandon)
      if (call.firstCallerWaits) resolve({ status, headers, body: prefix.body() })
      else if (prefix.hasMore) abandon()
      if (prefix.hasMore) {
        for (const waiter of removeAllWaiters(call)) waiter.resolve(waiter.send(waiter.request))
        return
      }
      for (const waiter of call.waiters!) {
        removeWaiter(call, waiter)
        waiter.resolve(collapsedResponse({ status, headers, body: prefix.body() }, waiter))
        // Links are rewritten for each waiter. Other requests are handled in between.
        await nextEventLoopTurn()
      }
    } catch (error) {
      reject(error)
      for (const waiter of removeAllWaiters(call)) waiter.reject(error)
    }
  }
}

/** Removes all waiters, and returns them. */
function removeAllWaiters(call: Call): Waiter[] {
  const all = [...(call.waiters ?? [])]
  for (const waiter of all) removeWaiter(call, waiter)
  return all
}

function removeWaiter({ waiters }: Call, waiter: Waiter): void {
  waiters!.delete(waiter)
  waiter.request.timings.dynamics += performance.now() - waiter.start
}

function collapsedResponse(response: UpstreamResponse, { request: { record } }: Waiter): UpstreamResponse {
  record.source = 'shared'
  record.cacheStatus = `${record.cacheStatus}; collapsed`
  return response
}
