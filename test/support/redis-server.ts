import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort } from './rolling-update.ts'
import type { Test } from './tap-test.ts'
import { until } from './until.ts'

/** A real Redis server for one test. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Runs one command, and returns the raw reply. */
  readonly command: (line: string) => Promise<string>
  /** Suspends and resumes the process. */
  readonly hang: () => void
  readonly resume: () => void
  readonly kill: () => Promise<void>
  /** Starts it again on the same port, with other options. */
  readonly start: (options?: readonly string[]) => Promise<void>
}

/** Starts the installed `redis-server`, and stops it with the test. */
export async function redisServer(t: Test, options: readonly string[] = []): Promise<RedisServer> {
  if (spawnSync('redis-server', ['--version']).error !== undefined) {
    throw new Error('this test needs redis-server: install the Debian package redis-server')
  }
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const port = await freePort()
  let server: ChildProcess | undefined
  async function start(options: readonly string[] = []): Promise<void> {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
    const started = spawn('redis-server', [...fixed, ...options], { stdio: 'ignore' })
    process.once('exit', () => started.kill('SIGKILL'))
    server = started
    await until(() => answers(port))
  }
  async function kill(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  t.teardown(async () => {
    await kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await start(options)
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    command: (line) => command(port, line),
    hang: () => void server!.kill('SIGSTOP'),
    resume: () => void server!.kill('SIGCONT'),
    kill,
    start,
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    await command(port, 'PING')
    return true
  } catch {
    return false
  }
}

async function command(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(`${line}\r\n`)
    const [reply] = (await once(socket, 'data')) as [Buffer]
    return String(reply).trim()
  } finally {
    socket.destroy()
  }
}
