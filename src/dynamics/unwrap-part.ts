import { DynamicsAnswerInvalid } from '../errors.ts'
import { OwnError } from '../logging/own-error.ts'
import { MalformedBatch } from '../odata/batch-error.ts'
import { boundaryOf, mediaType } from '../odata/content-type.ts'
import type { Field } from '../odata/header-fields.ts'
import { multipart } from '../odata/multipart.ts'
import { bytesOf, textOf } from '../odata/text-transform.ts'
import type { TextTransform } from '../odata/text-transform.ts'
import { contentCoding } from '../outbound/content-coding.ts'
import { decodedSink } from './decoded-sink.ts'
import { Failure } from './failure.ts'
import { guarded } from './guarded-sink.ts'
import { PartBody } from './part-body.ts'
import { header } from './send.ts'
import type { UpstreamResponse, OutboundRequest, Sink } from './send.ts'

/**
 * The response to the only request of a `$batch`, as if it had been sent by itself. Errors that concern the batch, such
 * as 429, come as they are.
 *
 * @throws Failure when the body breaks off before that response has begun, DynamicsAnswerInvalid when there is none
 */
export async function unwrapped(
  response: UpstreamResponse,
  { cancellation, method }: Pick<OutboundRequest, 'cancellation' | 'method'>,
): Promise<UpstreamResponse> {
  const contentType = header(response, 'content-type') ?? ''
  const isMultipart = mediaType(contentType) === 'multipart/mixed'
  if (!isMultipart && response.status >= 300) return response
  const boundary = isMultipart ? boundaryOf(contentType) : undefined
  if (boundary === undefined) {
    response.body.dump()
    throw new DynamicsAnswerInvalid({ cause: new OwnError('the response to a $batch is not a multipart one') })
  }
  const coding = contentCoding(header(response, 'content-encoding'))
  const { headers: outer } = response

  const part = await new Promise<UpstreamResponse>((resolve, reject) => {
    const body = new PartBody(response.body)
    let isAnswered = false
    function broken(error: Error): void {
      response.body.dump()
      if (isAnswered) return body.fail(error)
      const cause = error instanceof MalformedBatch ? new DynamicsAnswerInvalid({ cause: error }) : error
      reject(cancellation.reason ?? (cause === error ? new Failure(error, true, false) : cause))
    }
    const parser = onlyPart(boundary, {
      begins(status, fields) {
        isAnswered = true
        resolve({ status, headers: mergedHeaders(outer, fields), body })
      },
      continues: (text) => body.push(bytesOf(text)),
    })
    const sink: Sink = {
      resume: undefined,
      write(chunk) {
        parser.push(textOf(chunk))
        return body.wantsMore()
      },
      end() {
        parser.end()
        if (!isAnswered) throw new MalformedBatch('The batch holds no response.')
        body.end()
      },
      fail: broken,
    }
    const safe = guarded(sink)
    body.resume = () => safe.resume?.()
    if (coding === undefined) return response.body.pipeTo(safe)
    const decoded = decodedSink(coding, safe)
    body.releases = decoded.destroy
    response.body.pipeTo(decoded)
  })
  if (method !== 'HEAD') return part
  part.body.dump()
  return part
}

/** Called with the content of the only part. */
interface PartListener {
  readonly begins: (status: number, fields: readonly Field[]) => void
  readonly continues: (text: string) => void
}

/** Reads a multipart body of one part; what it returns is of no use. */
function onlyPart(boundary: string, { begins, continues }: PartListener): TextTransform {
  let parts = 0
  return multipart({
    boundary,
    falseDelimiters: 'data',
    afterChangeSet: '',
    part(fields) {
      if (++parts > 1) throw new MalformedBatch('The batch holds more than one response.')
      return { fields, content: 'message' }
    },
    message(startLine, fields) {
      const status = STATUS.exec(startLine)?.[1]
      if (status === undefined) throw new MalformedBatch('A response in the batch has no status.')
      begins(Number(status), fields)
      const body = {
        push(text: string) {
          continues(text)
          return ''
        },
        end: () => '',
      }
      return { startLine, fields, body }
    },
  })
}

const STATUS = /^HTTP\/1\.[01] ([2-5]\d\d)(?: |$)/

/** The part's own headers, and those of the batch that concern the service, not its body. */
function mergedHeaders(outer: readonly Buffer[], fields: readonly Field[]): readonly Buffer[] {
  const own = fields.filter(({ name }) => !/^(?:content-length|transfer-encoding)$/i.test(name))
  const names = new Set(own.map(({ name }) => name.toLowerCase()))
  const around = outer.filter((_, index) => {
    const name = textOf(outer[index - (index % 2)]!).toLowerCase()
    return !names.has(name) && !OF_THE_BODY.test(name)
  })
  return [...own.flatMap(({ name, value }) => [bytesOf(name), bytesOf(value)]), ...around]
}

const OF_THE_BODY = /^(?:content-|transfer-encoding$|preference-applied$|etag$)/
