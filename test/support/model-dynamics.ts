import { createHash } from 'node:crypto'

import { Cancellation } from '../../src/dynamics/cancellation.ts'
import { Failure } from '../../src/dynamics/failure.ts'
import { RequestRecord } from '../../src/dynamics/request-record.ts'
import type {
  UpstreamResponse,
  ResponseBody,
  OutboundRequest,
  Send,
  Sink,
  WrittenPart,
} from '../../src/dynamics/send.ts'

/** What is read and changed. Each subject has the number of its last change. */
export type Subject = 'accounts' | 'contacts' | 'tasks' | 'schema'

export const SUBJECTS: readonly Subject[] = ['accounts', 'contacts', 'tasks', 'schema']

/** A change, and when and by whom it was made. */
interface Change {
  readonly at: number
  readonly value: number
  readonly throughGateway: boolean
}

/** Longest time from sending to the head of a response, in ms. */
export const MAX_LATENCY_MS = 500

/** Longest time after which Dynamics still executes a write that was cancelled, in ms. */
const MAX_EXECUTION_MS = 120_000

/**
 * A model of Dynamics. A response to a read names the query, the user, and the number of changes of the subject. Time
 * is simulated, so that hours pass in a second.
 */
export class ModelDynamics {
  now = 0
  readonly changes: Readonly<Record<Subject, Change[]>> = { accounts: [], contacts: [], tasks: [], schema: [] }
  readonly #events: { readonly at: number; readonly order: number; readonly run: () => void }[] = []
  readonly #random: () => number
  #order = 0

  /** @param random numbers from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random
  }

  at(time: number, run: () => void): void {
    const event = { at: time, order: this.#order++, run }
    let index = this.#events.length
    while (index > 0 && this.#events[index - 1]!.at > time) index--
    this.#events.splice(index, 0, event)
  }

  /** Runs the next due event; `false`: there is none. */
  next(): boolean {
    const event = this.#events.shift()
    if (event === undefined) return false
    this.now = event.at
    event.run()
    return true
  }

  change(subject: Subject, throughGateway: boolean): number {
    const value = this.value(subject) + 1
    this.changes[subject].push({ at: this.now, value, throughGateway })
    return value
  }

  value(subject: Subject): number {
    return this.changes[subject].length
  }

  /** The value of `subject` at a time. With `onlyThroughGateway`, that of the last change through the gateway. */
  valueAt(subject: Subject, time: number, onlyThroughGateway = false): number {
    const changes = this.changes[subject]
    for (let index = changes.length - 1; index >= 0; index--) {
      const change = changes[index]!
      if (change.at <= time && (change.throughGateway || !onlyThroughGateway)) return change.value
    }
    return 0
  }

  readonly send: Send = (request) =>
    new Promise((resolve, reject) => {
      const { cancellation, record, method, path } = request
      if (cancellation.reason !== undefined) return reject(cancellation.reason)
      record.attemptSent()
      let left: Error | undefined
      cancellation.hold({
        onCancelled(reason) {
          left = reason
          reject(reason)
        },
      })
      const latency = this.#random() * MAX_LATENCY_MS
      const done = this.now + latency
      if (method === 'GET') {
        let answer: UpstreamResponse | undefined
        this.at(this.now + this.#random() * latency, () => (answer = this.#read(request, () => left)))
        this.at(done, () => {
          if (left !== undefined) return
          if (this.#random() < 0.03) reject(new Failure(new Error('reset'), true, false))
          else resolve(answer!)
        })
        return
      }
      const parts: readonly WrittenPart[] = request.writtenParts ?? [{ method, resourcePath: path.slice(ROOT.length) }]
      const isBatch = path.endsWith('/$batch')
      const chance = this.#random()
      const commit = (): void => parts.forEach((part) => this.#write(part))
      if (chance < 0.02) {
        // Nobody sees the outcome, and it is executed much later or never.
        if (chance < 0.016) this.at(this.now + this.#random() * MAX_EXECUTION_MS, commit)
        this.at(done, () =>
          chance < 0.01 ? reject(new Failure(new Error('reset'), true, false)) : resolve(refusal(504)),
        )
      } else if (chance < 0.07) {
        this.at(done, () => resolve(refusal(400)))
      } else if (isBatch) {
        const bodyEnds = done + this.#random() * MAX_LATENCY_MS
        this.at(this.now + this.#random() * (bodyEnds - this.now), commit)
        this.at(done, () =>
          resolve(
            answerOf(
              200,
              [],
              this.#body(Buffer.from('{}'), bodyEnds, () => left),
            ),
          ),
        )
      } else {
        this.at(this.now + this.#random() * latency, commit)
        const created = /^\/(accounts|contacts|tasks)$/.exec(path.slice(ROOT.length))?.[1]
        const headers = created === undefined ? [] : ['OData-EntityId', `https://x${ROOT}/${created}(1)`]
        this.at(done, () =>
          resolve(
            answerOf(
              204,
              headers,
              this.#body(Buffer.alloc(0), done, () => left),
            ),
          ),
        )
      }
    })

  #write({ resourcePath }: WrittenPart): void {
    const name = /^\/(\w+)/.exec(resourcePath)?.[1] ?? ''
    if (isSubject(name)) this.change(name, true)
    else if (name === 'PublishAllXml') this.change('schema', true)
    else for (const subject of ['accounts', 'contacts', 'tasks'] as const) this.change(subject, true)
  }

  #read(request: OutboundRequest, left: () => Error | undefined): UpstreamResponse {
    const endsAt = this.now + MAX_LATENCY_MS * (1 + this.#random())
    const { path } = request
    if (path.includes('RetrieveMetadataChanges')) {
      const since = /%27(\d+)!now%27/.exec(path)?.[1]
      const hasChanged = since !== undefined && this.value('schema') > Number(since)
      return answerOf(
        200,
        JSON_HEAD,
        this.#body(
          Buffer.from(
            JSON.stringify({
              ServerVersionStamp: `${this.value('schema')}!now`,
              DeletedMetadata: { Count: 0 },
              EntityMetadata: hasChanged ? [{}] : [],
            }),
          ),
          endsAt,
          left,
        ),
      )
    }
    const subject = subjectOf(path)
    const body = JSON.stringify({ asked: askedOf(request), value: this.value(subject) })
    const etag = `W/"${this.value(subject)}"`
    const condition = request.headers[request.headers.indexOf('if-none-match') + 1]
    if (condition === etag) return answerOf(304, ['ETag', etag], this.#body(Buffer.alloc(0), endsAt, left))
    const fails = this.#random() < 0.05
    return answerOf(200, [...JSON_HEAD, 'ETag', etag], this.#body(Buffer.from(body), endsAt, left, fails))
  }

  #body(bytes: Buffer, endsAt: number, left: () => Error | undefined, fails = false): ResponseBody {
    let hasEnded = false
    const closed: (() => void)[] = []
    const end = (sink: Sink | undefined): void => {
      hasEnded = true
      const reason = left() ?? (fails ? new Error('reset') : undefined)
      if (sink !== undefined) {
        if (bytes.length > 0) sink.write(reason === undefined ? bytes : bytes.subarray(0, -1))
        if (reason === undefined) sink.end()
        else sink.fail(reason)
      }
      closed.forEach((callback) => callback())
    }
    const flow = (sink: Sink | undefined): void => this.at(Math.max(this.now, endsAt), () => end(sink))
    return {
      complete: false,
      bufferedBytes: 0,
      peek: () => undefined,
      pipeTo: flow,
      bytes: () =>
        new Promise((resolve, reject) => {
          const chunks: Buffer[] = []
          flow({
            resume: undefined,
            write: (chunk) => chunks.push(chunk) > 0,
            end: () => resolve(Buffer.concat(chunks)),
            fail: reject,
          })
        }),
      dump: () => flow(undefined),
      onClose: (callback) => (hasEnded ? callback() : void closed.push(callback)),
    }
  }
}

const ROOT = '/api/data/v9.2'
const JSON_HEAD = ['Content-Type', 'application/json', 'Transfer-Encoding', 'chunked']

function subjectOf(path: string): Subject {
  const name = /^\/(\w+)/.exec(path.slice(ROOT.length))?.[1] ?? ''
  return isSubject(name) ? name : 'schema'
}

function isSubject(name: string): name is Subject {
  return (SUBJECTS as readonly string[]).includes(name)
}

/** What a response of the model depends on: user, URL and headers, except Accept-Encoding. */
export function askedOf({ path, headers }: Pick<OutboundRequest, 'path' | 'headers'>): string {
  const relevant = headers.flatMap((name, index) =>
    index % 2 === 0 && !/^(?:accept-encoding|if-none-match|x-ms-client-request-id)$/.test(name)
      ? [`${name}=${headers[index + 1]!}`]
      : [],
  )
  return createHash('sha1')
    .update([path, ...relevant].join('\n'))
    .digest('base64')
}

function answerOf(status: number, headers: readonly string[], body: ResponseBody): UpstreamResponse {
  return { status, headers: headers.map((text) => Buffer.from(text)), body }
}

function refusal(status: number): UpstreamResponse {
  return answerOf(status, [], {
    complete: true,
    bufferedBytes: 0,
    peek: () => undefined,
    pipeTo: (sink) => sink.end(),
    bytes: async () => Buffer.alloc(0),
    dump: () => undefined,
    onClose: (callback) => callback(),
  })
}

/** A request to the model. */
export function modelRequest(
  method: string,
  resource: string,
  headers: readonly string[],
  more: Partial<OutboundRequest> = {},
): OutboundRequest {
  return {
    method,
    path: ROOT + resource,
    headers,
    body: undefined,
    bodyLength: undefined,
    repeatable: method === 'GET' ? 'read' : 'never',
    fairnessKey: 'model',
    deadline: undefined,
    transform: undefined,
    cancellation: new Cancellation(),
    timings: { token: 0, user: 0, wait: 0, dynamics: 0 },
    record: new RequestRecord('model', 0),
    ...more,
  }
}

/** Reads a complete body as a caller does. */
export function bodyOf(answer: UpstreamResponse): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    answer.body.pipeTo({
      resume: undefined,
      write: (chunk) => chunks.push(chunk) > 0,
      end: () => resolve(Buffer.concat(chunks)),
      fail: reject,
    })
  })
}
