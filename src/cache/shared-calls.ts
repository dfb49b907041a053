import { setImmediate as turn } from 'node:timers/promises'

import { Cancellation } from '../dynamics/cancellation.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { OwnError } from '../logging/own-error.ts'
import { gather } from './gather.ts'
import { keyOf } from './key.ts'

/**
 * The longest body that is shared, in bytes. It is read completely before anybody gets it, because callers read at
 * different paces; of a longer one, only the first caller gets the response, and the others make calls of their own.
 */
const MAX_SHARED_BYTES = 1024 * 1024

/**
 * Sends a read that has a `reading`, or lets it wait for the same one that is under way and has no response yet. What
 * fails for one fails for all.
 */
export type SharedCalls = (request: OutboundRequest, send: Send) => Promise<UpstreamResponse>

/** A caller that waits for another one's call. */
interface Waiter {
  readonly request: OutboundRequest
  readonly send: Send
  readonly resolve: (response: UpstreamResponse | Promise<UpstreamResponse>) => void
  readonly reject: (error: unknown) => void
  /** Stops listening for its cancellation. */
  release: () => void
  readonly start: number
}

/** A call under way. */
interface Call {
  readonly request: OutboundRequest
  /** Of the request that began it; made when somebody else asks for the same path. */
  key: string | undefined
  /** How many changes there had been when it began. Nobody joins after another one: the call may not have seen it. */
  readonly changes: number | undefined
  /** Ends the call itself: whoever waits for it leaves without harm to the others. */
  readonly cancellation: Cancellation
  readonly waiters: Set<Waiter>
  /** Whether the caller that began it is still there. */
  hasFirst: boolean
  /** Another call to the same path, which has another key. */
  next: Call | undefined
}

/**
 * @param target a name that no other target has
 * @param changes how many writes have ended; `undefined` while some end unseen: then nothing is shared
 */
export function shareCalls(target: string, changes: () => number | undefined): SharedCalls {
  /** By path: a key is only made where two requests ask for the same. */
  const calls = new Map<string, Call>()

  return (request, send) => {
    if (changes() === undefined) return send(request)
    const first = calls.get(request.path)
    if (first === undefined) return begin(request, send, undefined)
    const key = keyOf(target, request, 'shared call')
    if (key === undefined) return send(request)
    for (let call: Call | undefined = first; call !== undefined; call = call.next) {
      if (mayJoin(call, request) && (call.key ??= keyOf(target, call.request, 'shared call')) === key) {
        return join(call, request, send)
      }
    }
    return begin(request, send, first)
  }

  /** A call that waits for its turn behind others of its own caller would make this one wait behind them, too. */
  function mayJoin(call: Call, { fairnessKey }: OutboundRequest): boolean {
    const isSent = call.request.record.sent || call.request.fairnessKey === fairnessKey
    return isSent && call.changes === changes()
  }

  function begin(request: OutboundRequest, send: Send, next: Call | undefined): Promise<UpstreamResponse> {
    const cancellation = new Cancellation()
    const call: Call = {
      request,
      key: undefined,
      changes: changes(),
      cancellation,
      waiters: new Set(),
      hasFirst: true,
      next,
    }
    calls.set(request.path, call)
    return new Promise((resolve, reject) => {
      const release = request.cancellation.hold((reason) => {
        call.hasFirst = false
        if (call.waiters.size === 0) return cancellation.cancel(reason)
        reject(reason)
      })
      send({ ...request, cancellation }).then(
        (response) => {
          remove(call)
          if (call.waiters.size === 0) return resolve(response)
          void distribute(call, response, resolve, reject)
        },
        (error: unknown) => {
          remove(call)
          release()
          reject(error)
          for (const waiter of leaving(call)) waiter.reject(error)
        },
      )
    })
  }

  function join(call: Call, request: OutboundRequest, send: Send): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { request, send, resolve, reject, release: () => undefined, start: performance.now() }
      call.waiters.add(waiter)
      waiter.release = request.cancellation.hold((reason) => {
        call.waiters.delete(waiter)
        reject(reason)
        if (call.waiters.size === 0 && !call.hasFirst) call.cancellation.cancel(reason)
      })
    })
  }

  function remove(call: Call): void {
    const { path } = call.request
    let before = calls.get(path)
    if (before === call) {
      if (call.next === undefined) calls.delete(path)
      else calls.set(path, call.next)
      return
    }
    while (before !== undefined && before.next !== call) before = before.next
    if (before !== undefined) before.next = call.next
  }

  /** Hands the response to everybody who still waits for it. */
  async function distribute(
    call: Call,
    response: UpstreamResponse,
    resolve: (response: UpstreamResponse) => void,
    reject: (error: unknown) => void,
  ): Promise<void> {
    const { status, headers } = response
    const abandon = (): void => call.cancellation.cancel(new OwnError('nobody waits for the response any more'))
    try {
      const gathered = await gather(response.body, MAX_SHARED_BYTES, abandon)
      if (call.hasFirst) resolve({ status, headers, body: gathered.body() })
      else if (gathered.rest) abandon()
      if (gathered.rest) {
        for (const waiter of leaving(call)) waiter.resolve(waiter.send(waiter.request))
        return
      }
      for (const waiter of call.waiters) {
        leave(call, waiter)
        waiter.resolve(shared({ status, headers, body: gathered.body() }, waiter))
        // Links are rewritten for each: other requests have their turns in between.
        await turn()
      }
    } catch (error) {
      reject(error)
      for (const waiter of leaving(call)) waiter.reject(error)
    }
  }
}

/** All who wait, each for the last time. */
function leaving(call: Call): Waiter[] {
  const all = [...call.waiters]
  for (const waiter of all) leave(call, waiter)
  return all
}

function leave({ waiters }: Call, waiter: Waiter): void {
  waiters.delete(waiter)
  waiter.release()
  waiter.request.timings.dynamics += performance.now() - waiter.start
}

function shared(response: UpstreamResponse, { request: { record } }: Waiter): UpstreamResponse {
  record.source = 'shared'
  record.cacheStatus = `${record.cacheStatus}; collapsed`
  return response
}
