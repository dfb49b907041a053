import { MalformedBatch, RefusedPart } from '../odata/batch-error.ts'
import { OwnError } from './own-error.ts'

/** The fields of an error that a log may contain. */
export interface LoggedError {
  /** `TypeError`, `SocketError` … */
  readonly type: string
  /** `ECONNREFUSED`, `GATEWAY_BAD_BATCH` … */
  readonly code?: string
  /** `connect`, `getaddrinfo` … */
  readonly syscall?: string
  /** Host or address, with the port. */
  readonly address?: string
  /** Only a message that the gateway wrote itself. */
  readonly message?: string
  /** The position in the code, if there is neither a code nor a message. */
  readonly at?: readonly string[]
  readonly errors?: readonly LoggedError[]
  readonly cause?: LoggedError
}

/** The deepest chain of causes that is read. */
const MAX_DEPTH = 5
const MAX_CAUSES = 4
const MAX_FRAMES = 6

/**
 * The one form in which errors are logged: a list of fields, each of which holds what it is meant to hold. An error as
 * an object may carry anything: `input` of an address that cannot be parsed holds the password in it, and messages of
 * `JSON.parse` hold a piece of the text.
 */
export function loggedError(thrown: unknown, depth = 0): LoggedError {
  if (!(thrown instanceof Error)) return { type: typeof thrown }
  const { code, syscall, hostname, host, address, port } = thrown as Error & Readonly<Record<string, unknown>>
  const { errors, cause } = thrown as { readonly errors?: unknown; readonly cause?: unknown }
  const facts = {
    type: word(thrown.name) ?? 'Error',
    ...field('code', typeof code === 'number' ? String(code) : word(code)),
    ...field('syscall', word(syscall)),
    ...field('address', addressOf(address ?? hostname ?? host, port)),
    ...field('message', isOwn(thrown) ? thrown.message : undefined),
  }
  return {
    ...facts,
    ...(facts.code === undefined && facts.message === undefined ? field('at', framesOf(thrown)) : {}),
    ...(Array.isArray(errors) && depth < MAX_DEPTH
      ? { errors: errors.slice(0, MAX_CAUSES).map((one) => loggedError(one, depth + 1)) }
      : {}),
    ...(cause !== undefined && depth < MAX_DEPTH ? { cause: loggedError(cause, depth + 1) } : {}),
  }
}

/** An error in one word: the code of the error or of its cause, else its name. */
export function errorWord(error: Error): string {
  const { type, code, cause } = loggedError(error)
  return code ?? cause?.code ?? type
}

/** The causes of `error`, the nearest first, each in a few words. */
export function causesOf(error: Error): string[] {
  const said: string[] = []
  let { cause } = loggedError(error)
  for (; cause !== undefined; cause = cause.cause) said.push(inWords(cause))
  return said
}

function inWords({ type, code, syscall, address, message, at, errors }: LoggedError): string {
  const place = [
    syscall,
    address ??
      errors
        ?.map((one) => one.address)
        .filter(Boolean)
        .join(', '),
  ].filter(Boolean)
  const rest = message ?? (place.length > 0 ? place.join(' ') : undefined)
  if (code !== undefined) return rest === undefined ? code : `${code}: ${rest}`
  return rest ?? (at?.[0] === undefined ? type : `${type} ${at[0]}`)
}

/** Whether the gateway wrote the error's message. */
function isOwn(error: Error): boolean {
  return (
    error instanceof OwnError ||
    error instanceof MalformedBatch ||
    error instanceof RefusedPart ||
    /^GATEWAY_[A-Z_]+$/.test(String((error as { code?: unknown }).code))
  )
}

function field<N extends string, V>(name: N, value: V | undefined): { readonly [K in N]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]?: V })
}

function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z]\w{0,63}$/.test(value) ? value : undefined
}

function addressOf(host: unknown, port: unknown): string | undefined {
  if (typeof host !== 'string' || !/^[\w.:%-]{1,253}$/.test(host)) return undefined
  const number = /^\d{1,5}$/.test(String(port)) ? `:${String(port)}` : ''
  return `${host.includes(':') && number !== '' ? `[${host}]` : host}${number}`
}

/** Where the error was made; the message, which comes first in the stack, is left out. */
function framesOf({ stack = '', message }: Error): readonly string[] | undefined {
  const start = stack.indexOf(message)
  if (start === -1) return undefined
  const frames = stack
    .slice(start + message.length)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^at [\w$.<>#\s/:()@[\]+~-]{1,300}$/.test(line))
    .slice(0, MAX_FRAMES)
  return frames.length === 0 ? undefined : frames
}
