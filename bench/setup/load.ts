import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { cores, folder, installed } from './machine.ts'
import { headers } from './peers.ts'

/** The requests to send. */
export interface Load {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly seconds: number
  /** POST with this body. */
  readonly body?: string
  /** Sends the e-mail addresses of this many users in turn. */
  readonly users?: number
  /** Requests per second, at equal intervals. Left out: as many as are answered. */
  readonly rate?: number
  /** A text that every response must have. Checking uses the core of the load, so it is for warming up. */
  readonly expect?: string
  readonly tls?: boolean
}

export interface Outcome {
  readonly requests: number
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly longest: number
  /**
   * The longest time of a request that no pause of the loader affected, and the longest pause of the loader, if known.
   */
  readonly longestOnTime?: number
  readonly ownPause?: number
  readonly p999?: number
  /** Responses that were errors, had another text, or never came. */
  readonly wrong: number
}

const run = promisify(execFile)
const wrk = installed('wrk')

/** The program that makes the load. */
export const loader = wrk === undefined ? "the bench's own loader (wrk is not installed: apt-get install wrk)" : 'wrk'

/** Runs one load on the core for loads. */
export async function load(what: Load): Promise<Outcome> {
  return wrk === undefined || what.rate !== undefined ? ownLoad(what) : wrkLoad(wrk, what)
}

async function wrkLoad(program: string, { port, path, connections, seconds, tls, ...what }: Load): Promise<Outcome> {
  const script = join(folder, 'load.lua')
  writeFileSync(script, luaScript(what))
  const url = `${tls === true ? 'https://localhost' : 'http://127.0.0.1'}:${port}${path}`
  const { stdout } = await onLoadCore(program, [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    script,
    url,
  ])
  return JSON.parse(/RESULT (.+)/.exec(stdout)?.[1] ?? '{}') as Outcome
}

async function ownLoad(what: Load): Promise<Outcome> {
  const { stdout } = await onLoadCore(process.execPath, [
    join(import.meta.dirname, 'own-load.js'),
    JSON.stringify({ ...what, headers }),
  ])
  return JSON.parse(stdout) as Outcome
}

function onLoadCore(program: string, args: readonly string[]): Promise<{ stdout: string }> {
  const taskset = installed('taskset')
  const options = { maxBuffer: 10_000_000, env: { ...process.env, NODE_OPTIONS: '' } }
  return taskset === undefined
    ? run(program, args, options)
    : run(taskset, ['-c', cores.load, program, ...args], options)
}

/** The script for wrk: headers, users in turn, an optional check of each response, and the result as JSON. */
function luaScript({ body, users, expect }: Pick<Load, 'body' | 'users' | 'expect'>): string {
  const fields = Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = [[${value}]]`)
  return `
${fields.join('\n')}
${body === undefined ? '' : `wrk.method = "POST"; wrk.body = [[${body}]]; wrk.headers["content-type"] = "application/json"`}
local thread
function setup(t) thread = t end
wrong = 0
${
  users === undefined
    ? ''
    : `
local requests = {}
local turn = 0
function init()
  for user = 1, ${users} do
    wrk.headers["x-user-email"] = "user" .. user .. "@contoso.com"
    requests[user] = wrk.format()
  end
end
function request()
  turn = turn % ${users} + 1
  return requests[turn]
end`
}
${
  expect === undefined
    ? ''
    : `
function response(status, headers, body)
  if status > 299 or not string.find(body, [[${expect}]], 1, true) then wrong = wrong + 1 end
end`
}
function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  ${expect === undefined ? '' : 'bad = errors.connect + errors.read + errors.write + errors.timeout + thread:get("wrong")'}
  io.write(string.format('RESULT {"requests":%d,"perSecond":%.1f,"p50":%.3f,"p99":%.3f,"longest":%.3f,"wrong":%d}\\n',
    summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000, bad))
end
`
}
