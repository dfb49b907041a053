import t from 'tap'
import type { Test } from 'tap'

import { createPauseWindow } from '../../../src/dynamics/limits/pause.ts'
import type { PauseWindow } from '../../../src/dynamics/limits/pause.ts'
import { sharePauses } from '../../../src/dynamics/limits/shared-pauses.ts'
import { inProcess } from '../../../src/replicas/in-process.ts'
import { replicaSettings } from '../../support/replica-settings.ts'

const [target] = replicaSettings(undefined).targets

interface TwoReplicas {
  readonly one: PauseWindow
  readonly twoReplicas: PauseWindow
  /** Pauses of the second replica that the first one caused. */
  readonly begun: number[]
}

function two(): TwoReplicas {
  const replicas = inProcess(100)
  const started: number[] = []
  return {
    one: sharePauses(createPauseWindow(), replicas.of(target!), () => undefined),
    twoReplicas: sharePauses(createPauseWindow(), replicas.of(target!), (wait) => started.push(wait)),
    begun: started,
  }
}

function isAbout(t: Test, found: number, wanted: number): void {
  t.ok(found <= wanted && found > wanted - 2000, `${found} of ${wanted}`)
}

t.test('a pause at one replica pauses the other, once for a burst of refusals', async (t) => {
  const { one, twoReplicas: other, begun: started } = two()
  t.notOk(other.isPaused())
  one.start(10_000)
  one.start(10_100)
  t.ok(other.isPaused())
  isAbout(t, other.remaining(), 10_000)
  t.same(started, [10_000])
  one.start(20_000)
  isAbout(t, other.remaining(), 20_000)
  t.equal(started.length, 2)
})

t.test('a pause that is shortened is shortened everywhere', async (t) => {
  const { one, twoReplicas: other } = two()
  one.start(30_000).shorten(1000)
  t.ok(other.isPaused())
  isAbout(t, other.remaining(), 1000)
})

t.test('a longer pause that started meanwhile stays everywhere', async (t) => {
  const { one, twoReplicas: other } = two()
  const first = one.start(30_000)
  one.start(25_000)
  first.shorten(1000)
  isAbout(t, one.remaining(), 25_000)
  isAbout(t, other.remaining(), 25_000)
})

t.test('a replica that starts later gets the current pause', async (t) => {
  const replicas = inProcess(100)
  const one = sharePauses(createPauseWindow(), replicas.of(target!), () => undefined)
  one.start(30_000).shorten(5000)
  const started: number[] = []
  const late = sharePauses(createPauseWindow(), replicas.of(target!), (wait) => started.push(wait))
  isAbout(t, late.remaining(), 5000)
  t.equal(started.length, 1)
})
