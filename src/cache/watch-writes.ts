import { header } from '../dynamics/send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { isBatch } from '../odata/batch-path.ts'
import { resourcePathOf } from '../odata/target-address.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { effectOf } from './effects.ts'
import type { Effect } from './effects.ts'
import type { Versions } from './versions.ts'

/** How long Dynamics may still execute a write without a known end, in ms: it ends a request after two minutes. */
const MAX_EXECUTION_MS = 130_000

/** The write is executed in the background: `Prefer: respond-async`. */
const ACCEPTED = 202

/**
 * Records in `versions` what each write may have changed, before the caller gets the response. A read that is sent
 * after that response therefore sees the write, and the response to an earlier read is not cached.
 */
export function watchWrites(send: Send, address: TargetAddress, versions: Versions): Send {
  return (request) =>
    send(request).then(
      (response) => {
        if (isBatch(request.path)) noteBatchResponse(request, response)
        else noteResponse(request, response)
        return response
      },
      (error: unknown) => {
        // A request that was not sent has changed nothing.
        if (request.record.sent) for (const effect of effectsOf(request)) noteUncertain(effect)
        throw error
      },
    )

  function noteResponse(request: OutboundRequest, response: UpstreamResponse): void {
    const [effect] = effectsOf(request)
    if (response.status >= 500 || response.status === ACCEPTED) noteUncertain(effect!)
    else if (effect!.mayBeAction && !hasCreated(effect!, response)) versions.changed(withAnyEntitySet(effect!))
    else versions.changed(effect!)
  }

  /** The parts of a batch end one after the other while its response arrives. */
  function noteBatchResponse(request: OutboundRequest, response: UpstreamResponse): void {
    const effects = effectsOf(request)
    if (response.status >= 500) return effects.forEach(noteUncertain)
    for (const effect of effects) {
      versions.changed(effect)
      const resume = versions.suspend(effect)
      response.body.onClose(() => {
        versions.changed(effect)
        resume()
      })
    }
  }

  function noteUncertain(effect: Effect): void {
    versions.changed(withAnyEntitySet(effect))
    versions.suspendFor(withAnyEntitySet(effect), MAX_EXECUTION_MS)
  }

  /** What a request may change; nothing for a batch of reads. */
  function effectsOf({ method, path, writtenParts }: OutboundRequest): Effect[] {
    if (writtenParts === undefined) return [effectOf(method, resourcePathFrom(path))]
    return writtenParts.map((part) => withAnyEntitySet(effectOf(part.method, part.resourcePath)))
  }

  function resourcePathFrom(path: string): string | undefined {
    const queryStart = path.indexOf('?')
    return resourcePathOf(address, queryStart === -1 ? path : path.slice(0, queryStart))
  }
}

/** The effect of a request that may be an action: any entity set. */
function withAnyEntitySet(effect: Effect): Effect {
  return effect.mayBeAction ? { ...effect, entitySet: undefined } : effect
}

/** Whether `response` is the response to a create. An action of the same name would not return the URL of a row. */
function hasCreated({ entitySet }: Effect, response: UpstreamResponse): boolean {
  const row = header(response, 'odata-entityid')
  return row !== undefined && row.toLowerCase().includes(`/${entitySet}(`)
}
