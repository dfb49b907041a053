import { MalformedBatch } from './batch-error.ts'
import { bodyEnd, falseDelimiter } from './body-end.ts'
import { type Delimiter, delimiterIn, type Level, level, withoutReturn } from './delimiters.ts'
import { type Field, fieldLines, headerFields } from './header-fields.ts'
import { textBuffer } from './text-buffer.ts'
import type { TextTransform } from './text-transform.ts'

/** The replacement for a part's head, and the kind of content after it. */
export interface RewrittenPart {
  readonly fields: readonly Field[]
  /** An HTTP message, parts of a change set, or opaque bytes. */
  readonly content: 'message' | 'bytes' | { readonly boundary: string }
}

/** The replacement for the head of the HTTP message in a part, and the transform of its body. */
export interface RewrittenMessage {
  readonly startLine: string
  readonly fields: readonly Field[]
  readonly body: TextTransform | undefined
}

/** Rewrites a `$batch` in one direction. An error that it throws ends the batch. */
export interface MultipartRules {
  readonly boundary: string
  /** A line that starts like a delimiter but continues differently. Some parsers treat it as a delimiter. */
  readonly falseDelimiters: 'refused' | 'data'
  /** The text between the end of a change set and the next delimiter. */
  readonly afterChangeSet: string
  part(fields: readonly Field[], inChangeSet: boolean): RewrittenPart
  message(startLine: string, fields: readonly Field[], part: readonly Field[]): RewrittenMessage
}

/** Longest head of a part or message, in characters. A URL inside a batch may have 65,536. */
const MAX_HEAD_CHARACTERS = 128 * 1024
/** Header lines of a head plus the start line. It is the gateway's limit for requests. */
const MAX_LINES = 101

/**
 * Parses the parts of a `$batch` while it streams, with lines ended by CRLF or LF, and serializes them: every line of
 * a head ended by CRLF, a blank line after each head, nothing before the first delimiter and nothing after the last.
 * Bodies pass unchanged or rewritten by `message`; only as many bytes as a delimiter has are buffered.
 *
 * @throws MalformedBatch
 */
export function multipart(rules: MultipartRules): TextTransform {
  const levels: Level[] = [level(rules.boundary)]
  let out = ''
  let state: State = 'between'
  let rest = ''
  /** The position of `rest` in the batch. */
  let base = 0
  /** Chunks of an incomplete line, after `rest`. */
  const unfinished = textBuffer()
  let lines: string[] = []
  let headSize = 0
  let part: readonly Field[] = []
  let body: TextTransform | undefined
  let isBodyStart = false

  function run(final: boolean): string {
    while (state !== 'closed' && (state === 'body' ? takeBody(final) : takeLine(final)));
    if (state === 'closed') rest = ''
    else if (final) throw new MalformedBatch('The batch is not closed by its last delimiter.')
    const rewritten = out
    out = ''
    return rewritten
  }

  function takeLine(final: boolean): boolean {
    if (state === 'between' || (state === 'message' && lines.length === 0)) skipLineEnds()
    const end = rest.indexOf('\n')
    if (headSize + (end === -1 ? rest.length : end + 1) > MAX_HEAD_CHARACTERS) throw tooLong()
    if (end === -1 && !(final && rest.length > 0)) return false

    const line = withoutReturn(rest.slice(0, end === -1 ? rest.length : end))
    advance(end === -1 ? rest.length : end + 1)
    headSize += line.length + 1
    const delimiter = delimiterIn(line, levels)
    if (state === 'between') {
      headSize = 0
      if (delimiter !== undefined) pass(delimiter)
      else if (line !== '') skip(line)
    } else if (delimiter !== undefined) {
      endHead()
      if (state !== 'body') throw new MalformedBatch('A part of the batch contains neither a request nor a response.')
      endBody()
      pass(delimiter)
    } else if (line !== '') {
      if (lines.push(line) > MAX_LINES) throw tooLong()
    } else if (state === 'part' || lines.length > 0) endHead()
    return true
  }

  /** Skips blank lines, of which there may be many. */
  function skipLineEnds(): void {
    let at = 0
    for (;;) {
      const code = rest.charCodeAt(at)
      if (code === LF) at++
      else if (code === CR && rest.charCodeAt(at + 1) === LF) at += 2
      else break
    }
    if (at > 0) advance(at)
  }

  /** Skips the text before the first part and after the last, unless it may be intended as a part. */
  function skip(line: string): void {
    const inner = levels[0]!
    inner.skipped = true
    if (rules.falseDelimiters === 'refused' && levels.some(({ dashes }) => line.includes(dashes)))
      throw falseDelimiter()
  }

  function endHead(): void {
    const [first, ...others] = lines
    const fields = headerFields(state === 'part' ? lines : others)
    if (fields === undefined) throw new MalformedBatch('A head in the batch contains a line that is not a header.')
    lines = []
    headSize = 0
    if (state === 'part') endPartHead(fields)
    else if (first !== undefined) {
      const message = rules.message(first, fields, part)
      out += `${message.startLine}\r\n${fieldLines(message.fields)}\r\n`
      beginBody(message.body)
    }
  }

  function endPartHead(fields: readonly Field[]): void {
    const rewritten = rules.part(fields, levels.length > 1)
    part = fields
    out += `${fieldLines(rewritten.fields)}\r\n`
    if (rewritten.content === 'bytes') beginBody(undefined)
    else if (rewritten.content === 'message') state = 'message'
    else {
      const { boundary } = rewritten.content
      if (levels.some(({ dashes }) => dashes === `--${boundary}`)) {
        throw new MalformedBatch('A change set has the boundary of its batch.')
      }
      levels.unshift(level(boundary))
      state = 'between'
    }
  }

  function beginBody(turn: TextTransform | undefined): void {
    body = turn
    state = 'body'
    isBodyStart = true
  }

  function endBody(): void {
    if (body !== undefined) out += body.end()
    body = undefined
  }

  /** Forwards the bytes that certainly belong to the body, up to the next delimiter. */
  function takeBody(final: boolean): boolean {
    const isStrict = rules.falseDelimiters === 'refused'
    const { end, delimiter, next } = bodyEnd(rest, { base, levels, isBodyStart, isLast: final, isStrict })
    if (end > 0) giveBody(end)
    if (delimiter === undefined) return false
    advance(next - end)
    endBody()
    pass(delimiter)
    return true
  }

  function giveBody(end: number): void {
    const given = rest.slice(0, end)
    advance(end)
    isBodyStart = false
    out += body === undefined ? given : body.push(given)
  }

  function advance(by: number): void {
    rest = rest.slice(by)
    base += by
  }

  function pass({ depth, closing }: Delimiter): void {
    for (let left = depth; left > 0; left--) close()
    if (closing) {
      close()
      return
    }
    const inner = levels[0]!
    out += `${inner.begun ? '\r\n' : ''}${inner.dashes}\r\n`
    inner.begun = true
    state = 'part'
  }

  /** Closes the innermost level. */
  function close(): void {
    const inner = levels[0]!
    if (inner.skipped && !inner.begun && rules.falseDelimiters === 'refused') throw falseDelimiter()
    out += `${inner.begun ? '\r\n' : ''}${inner.dashes}--`
    if (levels.length > 1) {
      levels.shift()
      out += rules.afterChangeSet
      state = 'between'
    } else {
      out += '\r\n'
      state = 'closed'
    }
  }

  return {
    push(chunk) {
      if (state === 'closed') return ''
      unfinished.add(chunk)
      if (state !== 'body' && !chunk.includes('\n')) {
        if (headSize + rest.length + unfinished.length > MAX_HEAD_CHARACTERS) throw tooLong()
        return ''
      }
      rest += unfinished.take()
      return run(false)
    },
    end() {
      rest += unfinished.take()
      return run(true)
    },
  }
}

/** What the next line or character is part of. */
type State =
  | 'between' // nothing
  | 'part' // the head of a part
  | 'message' // the head of the message in it
  | 'body'
  | 'closed' // the epilogue

function tooLong(): MalformedBatch {
  return new MalformedBatch('A line or head in the batch is too long, or has more than 100 header lines.')
}

const LF = 0x0a
const CR = 0x0d
