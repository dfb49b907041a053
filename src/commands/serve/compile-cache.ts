import { createHash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { constants, Script } from 'node:vm'

/**
 * Code in one file: an expression that gives a function with the arguments of a CommonJS module, and, loaded as a
 * module, exports that function.
 */
export interface Code {
  readonly file: string
  /** Differs whenever the code differs. */
  readonly id: string
  /** The folder for what was compiled. Whoever may write there decides what runs. */
  readonly folder: string
  readonly require: NodeJS.Require
}

type Wrapper = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  file: string,
  folder: string,
) => void

/** How long after the first response all is compiled that a start needs, in milliseconds. */
const SETTLE_MS = 300
const DIGEST = 32

/**
 * Runs the code and gives what it exports. What V8 compiled until the first request was answered is kept in a file for
 * the next start, which takes a third less: Node's own cache, where it has one, keeps hardly any functions.
 * See docs/decisions/start-up-cache.md.
 *
 * @until Node's `module.enableCompileCache()` keeps compiled functions
 */
export function runCompiled(code: Code): object {
  const { file, require } = code
  // With --enable-source-maps somebody looks for a fault; Node has such maps for modules only.
  const wrapper = process.sourceMapsEnabled ? (require(file) as Wrapper) : compiled(code)
  const module = { exports: {} }
  wrapper(module.exports, require, module, file, dirname(file))
  return module.exports
}

function compiled({ file, id, folder }: Code): Wrapper {
  // V8 takes nothing that another version of it made, or with other options of its own; it does not look at the code.
  const common = join(folder, `${id}-${process.arch}-${process.version}`)
  const own = common + nameOfOptions()
  const cachedData = readKept(own) ?? readKept(common)
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  })
  if (script.cachedDataRejected !== false) onceAnswered(() => keep(own, script.createCachedData()))
  return script.runInThisContext() as Wrapper
}

/** Tells apart starts with different options of Node; empty for a start without any. */
function nameOfOptions(): string {
  const options = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ').trim()
  return options === '' ? '' : `-${digestOf(Buffer.from(options)).toString('hex').slice(0, 8)}`
}

/** The stored code, if it exists and is complete: V8 does not find out what a disk has done to it. */
function readKept(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path)
    const data = bytes.subarray(DIGEST)
    return digestOf(data).equals(bytes.subarray(0, DIGEST)) ? data : undefined
  } catch {
    return undefined
  }
}

/** Calls back once, a while after the first request from outside has been answered well, or when the process ends. */
function onceAnswered(callback: () => void): void {
  const channel = 'http.server.response.finish'
  subscribe(channel, function finished(message) {
    const { request, response } = message as { request: { url?: string }; response: ServerResponse }
    if (request.url?.startsWith('/-/') === true || response.statusCode >= 400) return
    unsubscribe(channel, finished)
    const settled = setTimeout(done, SETTLE_MS).unref()
    process.once('exit', done)

    function done(): void {
      clearTimeout(settled)
      process.off('exit', done)
      callback()
    }
  })
}

/** Writes a temporary file and renames it, so that it is complete. Where nothing may be written, starts take longer, and that is all. */
function keep(path: string, data: Buffer): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    const beside = `${path}.${process.pid}.${Date.now()}.new`
    writeFileSync(beside, Buffer.concat([digestOf(data), data]), { mode: 0o644, flag: 'wx' })
    renameSync(beside, path)
  } catch {
    // The folder belongs to somebody else, or the disk is full.
  }
}

function digestOf(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}
