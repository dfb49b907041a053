import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where this run keeps its files. */
export const folder = mkdtempSync(join(tmpdir(), 'gateway-bench-'))

const count = cpus().length

/**
 * The core that the proxy under test has for itself, and the one for load and services; the same where
 * there is one only.
 */
export const cores = { proxy: '0', load: count > 1 ? '1' : '0' } as const

/** What a reader of the results must know of the machine. */
export const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: count,
  node: process.version,
  platform: process.platform,
}

/** The path of a program, or `undefined` when it is not installed. */
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
