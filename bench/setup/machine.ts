import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'

/** The folder for the files of this run. */
export const folder = mkdtempSync(join(tmpdir(), 'gateway-bench-'))

const count = cpus().length

/**
 * The core of the proxy under test, and the core of load and services. They are the same on a machine with one core.
 */
export const cores = { proxy: '0', load: count > 1 ? '1' : '0' } as const

/** What a reader of the results must know about the machine. */
export const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: count,
  node: process.version,
  platform: process.platform,
}

/** The path of a program; `undefined` if it is not installed. */
export function installed(program: string): string | undefined {
  try {
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }
    return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8', env }).trim()
  } catch {
    return undefined
  }
}

/** Moves this process away from the proxy's core. */
export function stayOnLoadCore(): void {
  const taskset = installed('taskset')
  if (taskset === undefined) {
    console.log('taskset is not installed, so nothing keeps to its core (apt-get install util-linux)')
  } else execFileSync(taskset, ['-a', '-c', '-p', cores.load, String(process.pid)], { stdio: 'ignore' })
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
