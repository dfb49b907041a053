import { createHash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { constants, Script } from 'node:vm'

/**
 * A script in one file. It is an expression whose value is a function with the arguments of a CommonJS module. Loaded
 * as a module, it exports that function.
 */
export interface CompiledScript {
  readonly file: string
  /** Identifies the code: it changes when the code changes. */
  readonly id: string
  /** The folder for compiled code. Anybody with write access to it can change what the gateway runs. */
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

/** The time after the first response at which everything that a start needs is compiled, in milliseconds. */
const SETTLE_MS = 300
const DIGEST = 32

/**
 * Runs the code and returns its exports. The functions that V8 has compiled by the first response are stored in a file,
 * so that the next start takes a third less time. Node's own cache stores hardly any functions. See
 * docs/decisions/start-up-cache.md.
 *
 * @until Node's `module.enableCompileCache()` keeps compiled functions
 */
export function runCompiled(code: CompiledScript): object {
  const { file, require } = code
  // --enable-source-maps is used for debugging. Node supports source maps only for modules.
  const wrapper = process.sourceMapsEnabled ? (require(file) as Wrapper) : compiled(code)
  const module = { exports: {} }
  wrapper(module.exports, require, module, file, dirname(file))
  return module.exports
}

function compiled({ file, id, folder }: CompiledScript): Wrapper {
  // V8 rejects data of another V8 version or of other V8 options. It does not compare the code.
  const commonFile = join(folder, `${id}-${process.arch}-${process.version}`)
  const ownFile = commonFile + optionsSuffix()
  const cachedData = readStored(ownFile) ?? readStored(commonFile)
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  })
  if (script.cachedDataRejected !== false) afterFirstResponse(() => store(ownFile, script.createCachedData()))
  return script.runInThisContext() as Wrapper
}

/** A file name suffix for the options of Node; empty without options. */
function optionsSuffix(): string {
  const options = [...process.execArgv, process.env['NODE_OPTIONS']].join(' ').trim()
  return options === '' ? '' : `-${digestOf(Buffer.from(options)).toString('hex').slice(0, 8)}`
}

/** The stored data, if it exists and is complete. V8 does not detect damaged data. */
function readStored(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path)
    const data = bytes.subarray(DIGEST)
    return digestOf(data).equals(bytes.subarray(0, DIGEST)) ? data : undefined
  } catch {
    return undefined
  }
}

/** Calls back once: shortly after the first successful response to a caller, or when the process ends after it. */
function afterFirstResponse(callback: () => void): void {
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

/** Writes a temporary file and renames it, so that the file is always complete. Failures only make starts slower. */
function store(path: string, data: Buffer): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    const temporary = `${path}.${process.pid}.${Date.now()}.new`
    writeFileSync(temporary, Buffer.concat([digestOf(data), data]), { mode: 0o644, flag: 'wx' })
    renameSync(temporary, path)
  } catch {
    // The folder is not writable, or the disk is full.
  }
}

function digestOf(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}
