import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import t from 'tap'
import { parse } from 'yaml'

import { createMetrics } from '../../src/observe/metrics.ts'
import { gatewayFor } from '../support/gateway-for.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const monitoring = `${root}deploy/monitoring`
const missing = ['promtool', 'prometheus'].filter((name) => spawnSync(name, ['--version']).error !== undefined)
const skip = missing.length > 0 && `not installed: ${missing.join(', ')} (the Debian package prometheus has both)`

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly annotations: { readonly runbook: string }
}

const { groups } = parse(readFileSync(`${monitoring}/alerts.yaml`, 'utf8')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[]
}
const rules = groups.flatMap((group) => group.rules)

t.setTimeout(600_000)

t.test('promtool accepts the rules, and their tests pass', { skip }, async (t) => {
  for (const words of [
    ['check', 'rules', 'alerts.yaml'],
    ['test', 'rules', 'alerts.test.yaml'],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: monitoring, encoding: 'utf8' })
    t.equal(status, 0, stdout + stderr)
  }
})

t.test('each alert has a test and a runbook', async (t) => {
  const page = readFileSync(`${root}docs/alerts.md`, 'utf8')
  const tests = readFileSync(`${monitoring}/alerts.test.yaml`, 'utf8')
  const headings = [...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name)
  t.same(headings, [...new Set(rules.map(({ alert }) => alert))])
  for (const { alert, annotations } of rules) {
    t.equal(annotations.runbook, `docs/alerts.md#${alert.toLowerCase()}`)
    t.match(tests, `alertname: ${alert}`)
  }
})

t.test('rules and dashboard name only metrics that exist', async (t) => {
  const { text } = await createMetrics({ lag: () => 0, overloaded: () => false }).page(undefined)
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
  const dashboard = readFileSync(`${monitoring}/dashboard.json`, 'utf8')
  const used = [
    ...`${rules.map(({ expr }) => expr).join(' ')} ${dashboard}`.matchAll(/\b(?:gateway|process|nodejs)_\w+/g),
  ]
  t.ok(used.length > 20)
  for (const [name] of used) t.ok(known.has(name.replace(/_(?:bucket|sum|count)$/, '')), name)
})

t.test('a real Prometheus scrapes the second listener and loads the rules', { skip }, async (t) => {
  const { running, url } = await gatewayFor(t, { METRICS_PORT: '0' })
  await (await fetch(`${url}/WhoAmI`)).text()
  const folder = t.testdir({})
  const port = await freePort()
  writeFileSync(
    `${folder}/prometheus.yml`,
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [`${monitoring}/alerts.yaml`],
      scrape_configs: [
        {
          job_name: 'gateway',
          metrics_path: '/-/metrics',
          static_configs: [{ targets: [new URL(running.operationsAddress!).host] }],
        },
      ],
    }),
  )
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let stderr = ''
  prometheus.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise((resolve) => prometheus.once('exit', resolve))
  t.teardown(async () => {
    prometheus.kill('SIGKILL')
    await ended
  })

  const query = async (text: string): Promise<readonly { readonly value: readonly [number, string] }[]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`)
    const { data } = (await response.json()) as { data: { result: readonly { value: readonly [number, string] }[] } }
    return data.result
  }
  const found = await until(
    () => query('gateway_requests_total{status="200",target="dynamics"}'),
    () => stderr,
  )
  t.equal(found[0]!.value[1], '1')
  t.equal((await query('up{job="gateway"}'))[0]!.value[1], '1')
  const loaded = (await (await fetch(`http://127.0.0.1:${port}/api/v1/rules`)).json()) as {
    data: { groups: readonly { rules: readonly unknown[] }[] }
  }
  t.equal(loaded.data.groups[0]!.rules.length, rules.length)
})

/** Repeats `ask` until it returns a value, because the other process starts asynchronously. */
async function until<T>(ask: () => Promise<readonly T[]>, stderr: () => string): Promise<readonly T[]> {
  for (const end = Date.now() + 120_000; Date.now() < end; await pause(200)) {
    const found = await ask().catch(() => [])
    if (found.length > 0) return found
  }
  throw new Error(`Prometheus found nothing: ${stderr()}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
