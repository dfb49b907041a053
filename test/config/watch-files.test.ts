import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'
import type { Test } from 'tap'

import { watchFiles } from '../../src/config/watch-files.ts'
import { until } from '../support/until.ts'

/** Watches `files`; returns how many changes were reported. */
function changesOf(t: Test, ...files: readonly string[]): { readonly changes: () => number; readonly end: () => void } {
  let count = 0
  const end = watchFiles(files, () => count++)
  t.teardown(end)
  return { changes: () => count, end }
}

t.test('a file that is replaced or written is reported once its content has changed', async (t) => {
  const folder = t.testdir({ cert: 'one', other: '' })
  const { changes } = changesOf(t, `${folder}/cert`, `${folder}/other`)

  writeFileSync(`${folder}/new`, 'two')
  renameSync(`${folder}/new`, `${folder}/cert`)
  await until(() => changes() === 1)
  writeFileSync(`${folder}/cert`, 'three')
  await until(() => changes() === 2)

  writeFileSync(`${folder}/cert`, 'three')
  await sleep(300)
  t.equal(changes(), 2, 'the same content is no change')
})

t.test('a link that is swapped next to the file is reported, as Kubernetes updates a secret', async (t) => {
  const folder = t.testdir({ first: { cert: 'one' }, second: { cert: 'two' } })
  symlinkSync('first', `${folder}/..data`)
  symlinkSync('..data/cert', `${folder}/cert`)
  const { changes } = changesOf(t, `${folder}/cert`)

  symlinkSync('second', `${folder}/..data_tmp`)
  renameSync(`${folder}/..data_tmp`, `${folder}/..data`)
  await until(() => changes() === 1)
  t.pass()
})

t.test('a file that is missing for a moment is not a change', async (t) => {
  const folder = t.testdir({ cert: 'one' })
  const { changes } = changesOf(t, `${folder}/cert`)

  rmSync(`${folder}/cert`)
  await sleep(300)
  t.equal(changes(), 0)
  writeFileSync(`${folder}/cert`, 'two')
  await until(() => changes() === 1)
})

t.test('nothing is reported after the end, without files, or without their folder', async (t) => {
  const folder = t.testdir({ cert: 'one' })
  const ended = changesOf(t, `${folder}/cert`)
  const others = [changesOf(t), changesOf(t, `${folder}/missing/cert`)]

  writeFileSync(`${folder}/cert`, 'two')
  ended.end()
  await sleep(300)

  t.equal(ended.changes(), 0)
  t.same(
    others.map(({ changes }) => changes()),
    [0, 0],
  )
})
