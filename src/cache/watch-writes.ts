import { header } from '../dynamics/send.ts'
import type { UpstreamResponse, OutboundRequest, Send } from '../dynamics/send.ts'
import { isBatch } from '../odata/batch-path.ts'
import { resourcePathOf } from '../odata/target-address.ts'
import type { TargetAddress } from '../odata/target-address.ts'
import { effectOf } from './effects.ts'
import type { Effect } from './effects.ts'
import type { Versions } from './versions.ts'

/** How long Dynamics may still carry out a write whose end nobody has seen, in ms: it ends a request after two minutes. */
const MAX_EXECUTION_MS = 130_000

/** The write is carried out in the background: `Prefer: respond-async`. */
const ACCEPTED = 202

/**
 * Notes in `versions` what each write may have changed, when it has ended and before its caller knows. So a read that is
 * sent after a caller has its response sees the write, and one that was sent before is not kept.
 */
export function watchWrites(send: Send, address: TargetAddress, versions: Versions): Send {
  return (request) =>
    send(request).then(
      (response) => {
        if (isBatch(request.path)) batchAnswered(request, response)
        else answered(request, response)
        return response
      },
      (error: unknown) => {
        // What was surely not sent has changed nothing.
        if (request.record.sent) for (const effect of effectsOf(request)) doubtful(effect)
        throw error
      },
    )

  function answered(request: OutboundRequest, response: UpstreamResponse): void {
    const [effect] = effectsOf(request)
    if (response.status >= 500 || response.status === ACCEPTED) doubtful(effect!)
    else if (effect!.mayBeAction && !hasCreated(effect!, response)) versions.changed(widened(effect!))
    else versions.changed(effect!)
  }

  /** The parts of a batch end one by one while its response arrives. */
  function batchAnswered(request: OutboundRequest, response: UpstreamResponse): void {
    const effects = effectsOf(request)
    if (response.status >= 500) return effects.forEach(doubtful)
    for (const effect of effects) {
      versions.changed(effect)
      const resume = versions.suspend(effect)
      response.body.onClose(() => {
        versions.changed(effect)
        resume()
      })
    }
  }

  function doubtful(effect: Effect): void {
    versions.changed(widened(effect))
    versions.suspendFor(widened(effect), MAX_EXECUTION_MS)
  }

  /** What a request may change; nothing for a batch of reads. */
  function effectsOf({ method, path, writtenParts }: OutboundRequest): Effect[] {
    if (!isBatch(path)) return [effectOf(method, below(path))]
    return (writtenParts ?? []).map((part) => widened(effectOf(part.method, part.resourcePath)))
  }

  function below(path: string): string | undefined {
    const mark = path.indexOf('?')
    return resourcePathOf(address, mark === -1 ? path : path.slice(0, mark))
  }
}

/** What may have changed where nobody can tell whether an action was called. */
function widened(effect: Effect): Effect {
  return effect.mayBeAction ? { ...effect, entitySet: undefined } : effect
}

/** Whether `response` is that of a create: an action of the same name would answer without the row's address. */
function hasCreated({ entitySet }: Effect, response: UpstreamResponse): boolean {
  const row = header(response, 'odata-entityid')
  return row !== undefined && row.toLowerCase().includes(`/${entitySet}(`)
}
