import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { runCompiled } from '../../../src/commands/serve/compile-cache.ts'
import { until } from '../../support/until.ts'

const CODE = `((code) => typeof module === "object" ? module.exports = code : code)((function (exports, require, module, file, folder) { "use strict";
  exports.sum = (one, other) => one + other
  exports.where = { file, folder, separator: require('node:path').sep }
}))`

interface Exports {
  readonly sum: (one: number, other: number) => number
  readonly where: object
}

// tap enables source maps.
const mapped = process.sourceMapsEnabled
t.before(() => process.setSourceMapsEnabled(false))
t.after(() => process.setSourceMapsEnabled(mapped))

function folderWith(t: Test, code = CODE): { readonly file: string; readonly kept: string } {
  const folder = t.testdir({ 'code.js': code, 'package.json': '{"type":"commonjs"}' })
  return { file: join(folder, 'code.js'), kept: join(folder, 'kept') }
}

function run(file: string, folder: string, id = 'one'): Exports {
  return runCompiled({ file, id, folder, require: createRequire(import.meta.url) }) as Exports
}

/** Responds to one request at `path`, with a server in this process. */
async function answerOnce(path: string): Promise<void> {
  const server = createServer((_request, response) => response.end('well')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)).text()
  server.close()
}

async function kept(folder: string): Promise<string> {
  for (;;) {
    const [name] = list(folder).filter((name) => !name.endsWith('.new'))
    if (name !== undefined) return join(folder, name)
    await sleep(20)
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

t.test('compiled code behaves like a module', async (t) => {
  const { file, kept } = folderWith(t)
  const { sum, where } = run(file, kept)
  t.equal(sum(1, 2), 3)
  t.match(where, { file, folder: t.testdirName, separator: join('a', 'b')[1]! })
  t.same(list(kept), [], 'nothing is stored before the first response')
})

t.test('compiled code is stored after the first response, and used only for the same source', async (t) => {
  const { file, kept: folder } = folderWith(t)
  run(file, folder)
  await answerOnce('/accounts')
  const path = await kept(folder)
  const bytes = readFileSync(path)
  t.equal(run(file, folder).sum(2, 3), 5)

  writeFileSync(file, CODE.replace('one + other', 'one * other'))
  t.equal(run(file, folder, 'two').sum(2, 3), 6, 'other source has another id')
  await answerOnce('/accounts')
  await until(() => list(folder).length >= 2)
  t.same(readFileSync(path), bytes, 'a valid cache file is not written again')
})

t.test('each set of Node options has its own cache file', async (t) => {
  t.intercept(process, 'execArgv', { value: [] })
  const options = process.env['NODE_OPTIONS']
  t.teardown(() => {
    if (options !== undefined) process.env['NODE_OPTIONS'] = options
  })
  delete process.env['NODE_OPTIONS']
  const { file, kept } = folderWith(t)
  run(file, kept)
  await answerOnce('/accounts')
  await until(() => existsSync(kept))
  await until(() => readdirSync(kept).every((name) => !name.endsWith('.new')))
  t.same(readdirSync(kept), [`one-${process.arch}-${process.version}`])
})

t.test('damaged data is not used, and is replaced', async (t) => {
  const { file, kept: folder } = folderWith(t)
  run(file, folder)
  await answerOnce('/accounts')
  const path = await kept(folder)
  const intact = readFileSync(path)
  for (const damaged of [intact.subarray(0, 100), Buffer.from(intact).fill(0, 200, 300), Buffer.alloc(0)]) {
    writeFileSync(path, damaged)
    t.equal(run(file, folder).sum(2, 3), 5)
  }
  await answerOnce('/accounts')
  await until(() => readFileSync(path).length > 0)
})

t.test('with source maps the code is loaded as a module, so that Node can map its lines', async (t) => {
  const { file, kept } = folderWith(t)
  const before = process.sourceMapsEnabled
  t.teardown(() => process.setSourceMapsEnabled(before))
  process.setSourceMapsEnabled(true)
  t.equal(run(file, kept).sum(1, 2), 3)
  process.setSourceMapsEnabled(false)
  t.equal(run(file, kept).sum(1, 2), 3)
})

t.test('the code also runs in a read-only folder', async (t) => {
  const { file } = folderWith(t)
  t.equal(run(file, '/dev/null/none').sum(1, 2), 3)
  await answerOnce('/-/livez')
  await answerOnce('/accounts')
  await sleep(1500)
  t.equal(run(file, '/dev/null/none').sum(1, 2), 3)
})
