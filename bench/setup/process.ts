import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { folder, installed, sleep } from './machine.ts'

/** A program that runs on its own core. */
export interface Running {
  readonly pid: number
  readonly stop: () => Promise<void>
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const all = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of all) child.kill('SIGKILL')
})

/** Starts a program on one core. Its output goes to a file, as in production. */
export function start(name: string, core: string, { program, args, env = {} }: Command): Running {
  const out = openSync(join(folder, `${name}.log`), 'a')
  const taskset = installed('taskset')
  const [first, rest] =
    taskset === undefined ? ([program, args] as const) : ([taskset, ['-c', core, program, ...args]] as const)
  const child = spawn(first, rest, {
    stdio: ['ignore', out, out],
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: process.env['BENCH_NODE_OPTIONS'] ?? '', ...env },
  })
  all.add(child)
  const ended = new Promise<void>((resolve) =>
    child
      .on('exit', () => {
        all.delete(child)
        resolve()
      })
      .on('error', () => resolve()),
  )
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      await Promise.race([ended, sleep(3000)])
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Microseconds of CPU that a process has used, in user and kernel mode. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  // The kernel counts in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** Milliseconds of CPU that the current threads of a process have used. It is more precise than `cpuOf`. */
export function cpuOfThreads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + nanosecondsOf(pid, thread), 0) / 1e6
}

function nanosecondsOf(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  } catch {
    return 0 // It has ended meanwhile.
  }
}

/** The resident set of a process, in MiB. */
export function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}
