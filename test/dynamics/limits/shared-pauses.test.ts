import t from 'tap'
import type { Test } from 'tap'

import { createPauseWindow } from '../../../src/dynamics/limits/pause.ts'
import type { PauseWindow } from '../../../src/dynamics/limits/pause.ts'
import { sharePauses } from '../../../src/dynamics/limits/shared-pauses.ts'
import { inProcess } from '../../../src/replicas/in-process.ts'
import { replicaSettings } from '../../support/replica-settings.ts'

const [target] = replicaSettings(undefined).targets

interface Two {
  readonly one: PauseWindow
  readonly two: PauseWindow
  /** Pauses that began at the second because of the first. */
  readonly begun: number[]
}

function two(): Two {
  const replicas = inProcess(100)
  const begun: number[] = []
  return {
    one: sharePauses(createPauseWindow(), replicas.of(target!), () => undefined),
    two: sharePauses(createPauseWindow(), replicas.of(target!), (wait) => begun.push(wait)),
    begun,
  }
}

function isAbout(t: Test, found: number, wanted: number): void {
  t.ok(found <= wanted && found > wanted - 2000, `${found} of ${wanted}`)
}

t.test('a pause of one pauses the other, once for a burst', async (t) => {
  const { one, two: other, begun } = two()
  t.notOk(other.isPaused())
  one.start(10_000)
  one.start(10_100)
  t.ok(other.isPaused())
  isAbout(t, other.remaining(), 10_000)
  t.same(begun, [10_000])
  one.start(20_000)
  isAbout(t, other.remaining(), 20_000)
  t.equal(begun.length, 2)
})

t.test('what turns out to be less serious is so everywhere', async (t) => {
  const { one, two: other } = two()
  one.start(30_000).shorten(1000)
  t.ok(other.isPaused())
  isAbout(t, other.remaining(), 1000)
})

t.test('a longer wait that came meanwhile is kept everywhere', async (t) => {
  const { one, two: other } = two()
  const first = one.start(30_000)
  one.start(25_000)
  first.shorten(1000)
  isAbout(t, one.remaining(), 25_000)
  isAbout(t, other.remaining(), 25_000)
})

t.test('who comes later learns of a pause, and whether it is serious', async (t) => {
  const replicas = inProcess(100)
  const one = sharePauses(createPauseWindow(), replicas.of(target!), () => undefined)
  one.start(30_000).shorten(5000)
  const begun: number[] = []
  const late = sharePauses(createPauseWindow(), replicas.of(target!), (wait) => begun.push(wait))
  isAbout(t, late.remaining(), 5000)
  t.equal(begun.length, 1)
})
