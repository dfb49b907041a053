/** A parsed JSON log line. */
type Line = Readonly<Record<string, unknown>>

/** Fields that a terminal line shows separately, or not at all. */
const OMITTED_FIELDS = new Set(['level', 'time', 'msg', 'id', 'traceId'])

/**
 * A log line for a terminal. A request is one short line, `03:27:36 403 GET WhoAmI 19ms
 * USER_UNKNOWN`; any other line is its sentence and facts. The JSON log has all facts of a request.
 *
 * @param colour whether the terminal shows colours
 */
export function terminalLine(line: Line, colour: boolean): string {
  const paint: Paint = (style, text) => (colour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text)
  const time = paint('dim', new Date(Number(line['time'])).toTimeString().slice(0, 8))
  return `${time} ${line['msg'] === 'request' ? request(line, paint) : event(line, paint)}\n`
}

/** ANSI codes. `util.styleText` detects terminals itself, differently in each version of Node. */
const STYLES = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 }

type Style = keyof typeof STYLES

type Paint = (style: Style, text: string) => string

function request(line: Line, paint: Paint): string {
  const { status, method, target, entitySet, ms, code, dynamicsCode, parts, causes } = line
  const path = target === undefined ? entitySet : `${String(target)}/${String(entitySet)}`
  const reason = typeof code === 'string' ? code.replace(/^GATEWAY_/, '') : dynamicsCode
  const cause: unknown = Array.isArray(causes) ? causes[0] : undefined
  return [
    paint(styleOf(Number(status)), String(status)),
    ...[method, path, `${Math.round(Number(ms))}ms`, reason, parts].filter((word) => word !== undefined).map(printable),
    ...(cause === undefined ? [] : [paint('dim', printable(cause))]),
  ].join(' ')
}

function styleOf(status: number): Style {
  if (status >= 500) return 'red'
  return status >= 400 ? 'yellow' : status >= 300 ? 'cyan' : 'green'
}

const LEVEL_STYLES: Readonly<Record<string, Style>> = { warn: 'yellow', error: 'red', fatal: 'red' }

function event(line: Line, paint: Paint): string {
  const level = String(line['level'])
  const style = LEVEL_STYLES[level] ?? 'dim'
  const facts = Object.entries(line).filter(([name, value]) => !OMITTED_FIELDS.has(name) && value !== undefined)
  return [
    ...(level === 'info' ? [] : [paint(style, level)]),
    printable(line['msg']),
    ...facts.map(([name, value]) => paint('dim', printable(`${name}=${inWords(value)}`))),
  ].join(' ')
}

function inWords(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

/** Characters that a terminal interprets as commands or as right-to-left text. */
const NOT_PRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

function printable(text: unknown): string {
  return String(text).replace(NOT_PRINTABLE, '?')
}
