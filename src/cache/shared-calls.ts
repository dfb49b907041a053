import { setImmediate as nextEventLoopTurn } from 'node:timers/promises'

import { withCancellation } from '../dynamics/send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { OwnError } from '../logging/own-error.ts'
import { bufferPrefix } from './buffer-prefix.ts'
import { Call, createCallGroups } from './calls-in-progress.ts'
import type { CallGroup, Waiter } from './calls-in-progress.ts'
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

/**
 * @param target the name of the target, which no other target has
 * @param changes the number of completed writes; `undefined` while it is not known: then nothing is shared
 */
export function shareCalls(target: string, changes: () => number | undefined): SharedCalls {
  const groupOf = createCallGroups()

  return (request, send) => {
    if (changes() === undefined) return send(request)
    const group = groupOf(`${request.cacheableRead!.identity} ${request.path}`)
    // A key takes longer to make, and is needed only if another call has the same identity and path.
    let key: string | undefined
    for (let call = group.latest; call !== undefined; call = call.previous) {
      if (!mayJoin(call, request)) continue
      key ??= keyOf(target, request, 'shared call')
      if (key === undefined) return send(request)
      if ((call.key ??= keyOf(target, call.request, 'shared call')) === key) return joinCall(call, request, send)
    }
    return startCall(request, group, send)
  }

  /**
   * Whether it may wait for the call, if its key is the same. A call that is still queued behind requests of its own
   * caller must not delay the request of another caller.
   */
  function mayJoin({ request, changes: atStart }: Call, { fairnessKey }: OutboundRequest): boolean {
    return (request.record.sent || request.fairnessKey === fairnessKey) && atStart === changes()
  }

  function startCall(request: OutboundRequest, group: CallGroup, send: Send): Promise<UpstreamResponse> {
    return new Promise((resolve, reject) => {
      const call = new Call(request, group, changes(), reject)
      request.cancellation.hold(call)
      send(withCancellation(request, call.cancellation)).then(
        (response) => {
          call.leaveGroup()
          if (!call.isShared) return resolve(response)
          void distribute(call, response, resolve, reject)
        },
        (error: unknown) => {
          call.leaveGroup()
          request.cancellation.release(call)
          reject(error)
          for (const waiter of call.removeAllWaiters()) waiter.reject(error)
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
        for (const waiter of call.removeAllWaiters()) waiter.resolve(waiter.send(waiter.request))
        return
      }
      for (const waiter of call.waiters!) {
        call.removeWaiter(waiter)
        waiter.resolve(collapsedResponse({ status, headers, body: prefix.body() }, waiter))
        // Links are rewritten for each waiter. Other requests are handled in between.
        await nextEventLoopTurn()
      }
    } catch (error) {
      reject(error)
      for (const waiter of call.removeAllWaiters()) waiter.reject(error)
    }
  }
}

function collapsedResponse(response: UpstreamResponse, { request: { record } }: Waiter): UpstreamResponse {
  record.source = 'shared'
  record.cacheStatus = `${record.cacheStatus}; collapsed`
  return response
}
