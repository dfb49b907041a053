import { SettingError } from '../setting.ts'
import { choice, flag, optional } from '../values.ts'

/** What shows how the gateway works: the log, the audit log, the request inspector and Node's inspector. */
export const observability = {
  allowInspect: flag({
    restart: true,
    description:
      "Lets the gateway start with Node's inspector, or with options that write the memory to a file. " +
      "Whoever reaches the inspector's port reads every secret.",
    env: 'ALLOW_INSPECT',
    fallback: false,
  }),
  logLevel: choice({
    restart: true,
    description: 'The lowest level that is logged.',
    env: 'LOG_LEVEL',
    fallback: 'info',
    words: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
  logFormat: choice({
    restart: true,
    description: 'How the log is written; `auto` is pretty on a terminal and JSON elsewhere.',
    env: 'LOG_FORMAT',
    fallback: 'auto',
    words: ['auto', 'json', 'pretty'],
  }),
  auditLog: optional(
    {
      restart: true,
      description: 'Where the audit log, one line per write, goes: `stdout`, `stderr`, or a file. Default: nowhere.',
      env: 'AUDIT_LOG',
      hint: 'stdout, stderr or a path',
    },
    auditPlace,
  ),
  inspector: flag({
    restart: true,
    description:
      'The request inspector at `/-/inspector`: a page that shows the latest requests and their results. It opens with the ' +
      'link that is printed at start, on this machine, or for a caller with `inspect: true`.',
    env: 'INSPECTOR',
    fallback: false,
  }),
}

/** A stream, or a path. A word that means on or off would be the name of a file. */
function auditPlace(text: string): string {
  const word = text.toLowerCase()
  if (word === 'stdout' || word === 'stderr') return word
  if (/^(?:true|false|on|off|yes|no|none|[01])$/.test(word)) {
    throw new SettingError('is not a stream or a path: write stdout, stderr or a path; leave it out for no audit log.')
  }
  return text
}
