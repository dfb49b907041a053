// Starts the bundle once and asks it something, so that it keeps what this Node compiled of it: the next start takes a
// third less. `node compile.mjs FOLDER`; where it does not work, starts take longer, and that is all.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE = 20_000

const folder = process.argv[2]
const { NODE_OPTIONS: _options, NODE_COMPILE_CACHE: _cache, ...env } = process.env
const demo = spawn(process.execPath, [join(folder, 'gateway.js'), 'demo', '--port', '0'], {
  env: { ...env, HOST: '127.0.0.1', TRUST_NETWORK: '', LOG_FORMAT: 'json', LOG_LEVEL: 'info' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const tooLong = setTimeout(() => demo.kill('SIGKILL'), PATIENCE)
try {
  const { status } = await fetch(`${await addressOf(demo)}/accounts?$top=1`, {
    headers: { 'x-user-email': 'adele.vance@contoso.com' },
    signal: AbortSignal.timeout(PATIENCE),
  })
  if (status !== 200) throw new Error(`answered ${status}`)
  while (!isKept() && demo.exitCode === null && demo.signalCode === null) await sleep(50)
  if (!isKept()) throw new Error('nothing was kept')
} catch (error) {
  console.warn(`The bundle starts more slowly, for it was not compiled: ${error.message}`)
} finally {
  clearTimeout(tooLong)
  demo.kill('SIGTERM')
}

function addressOf({ stdout }) {
  let printed = ''
  return new Promise((resolve, reject) => {
    stdout
      .on('data', (chunk) => {
        printed += chunk
        const [, address] = /at (http:\/\/127\.0\.0\.1:\d+)/.exec(printed) ?? []
        if (address !== undefined) resolve(address)
      })
      .on('end', () => reject(new Error(`the demo did not start: ${printed}`)))
    demo.on('error', reject)
  })
}

function isKept() {
  try {
    return readdirSync(join(folder, '.compiled')).some((name) => name.endsWith(process.version))
  } catch {
    return false
  }
}
