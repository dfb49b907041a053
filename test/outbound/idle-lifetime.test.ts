import t from 'tap'

import { announcedLifetime, createIdleLifetime } from '../../src/outbound/idle-lifetime.ts'
import type { IdleLifetime } from '../../src/outbound/idle-lifetime.ts'

const ASSUMED = 4000
const MINUTE = 60_000

function lifetime(): { readonly learned: IdleLifetime; readonly pass: (ms: number) => void } {
  let now = 1_000_000
  return {
    learned: createIdleLifetime(ASSUMED, () => now),
    pass: (ms) => {
      now += ms
    },
  }
}

t.test('until something is known, half of what is assumed is safe', async (t) => {
  t.equal(lifetime().learned.safe(), 2000)
})

t.test('answers prove longer lifetimes, and only longer ones', async (t) => {
  const { learned } = lifetime()
  learned.answered(10_000)
  learned.answered(3000)
  t.equal(learned.safe(), 5000)
})

t.test('an answer is worth trying where it would prove more', async (t) => {
  const { learned } = lifetime()
  t.notOk(learned.isUnproven(6000))
  t.ok(learned.isUnproven(6001))
  learned.answered(10_000)
  t.notOk(learned.isUnproven(15_000))
  t.ok(learned.isUnproven(15_001))
})

t.test('the earliest close counts, and what was proven beyond it does not', async (t) => {
  const { learned } = lifetime()
  learned.answered(50_000)
  learned.closed(30_000)
  t.equal(learned.safe(), 15_000)
  learned.closed(60_000)
  t.equal(learned.safe(), 15_000)
  learned.closed(1000)
  t.equal(learned.safe(), 500)
})

t.test('what the other side announces counts, unless it closes earlier', async (t) => {
  const { learned } = lifetime()
  learned.announced(60_000)
  t.equal(learned.safe(), 30_000)
  learned.announced(5000)
  t.equal(learned.safe(), 2500)
  learned.closed(4000)
  t.equal(learned.safe(), 2000)
})

t.test('a close is forgotten after ten to twenty minutes', async (t) => {
  const { learned, pass } = lifetime()
  learned.answered(20_000)
  pass(9 * MINUTE)
  learned.closed(1000)
  pass(10 * MINUTE)
  t.equal(learned.safe(), 500)
  pass(10 * MINUTE)
  t.equal(learned.safe(), ASSUMED / 2, 'neither does the proof count that it had refuted')

  learned.closed(1000)
  pass(60 * MINUTE)
  t.equal(learned.safe(), ASSUMED / 2, 'also where nothing happened for long')
})

t.test('connections that stay open for longer show that a close had another reason', async (t) => {
  const { learned, pass } = lifetime()
  learned.closed(100)
  learned.open(300)
  t.equal(learned.safe(), 50, 'a little longer shows nothing')
  learned.open(301)
  t.equal(learned.safe(), 2000)

  learned.closed(200)
  pass(11 * MINUTE)
  t.equal(learned.safe(), 100)
  learned.answered(10_000)
  t.equal(learned.safe(), 5000, 'an answer shows as much')
})

t.test('a request that met the end of its connection counts, however long others stay open', async (t) => {
  const { learned, pass } = lifetime()
  learned.answered(50_000)
  learned.broke(30_000)
  learned.open(300_000)
  t.equal(learned.safe(), 15_000)
  pass(20 * MINUTE)
  t.equal(learned.safe(), 15_000, 'what was proven ends there')
})

t.test('a young connection that broke is reason to trust none for ten seconds', async (t) => {
  const { learned, pass } = lifetime()
  learned.broke(5)
  t.equal(learned.safe(), 0)
  pass(10_000)
  t.equal(learned.safe(), 2000)
})

t.test('Keep-Alive announces a lifetime in seconds', async (t) => {
  const headers = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text))
  t.equal(announcedLifetime(headers('Connection', 'keep-alive', 'Keep-Alive', 'timeout=5, max=100')), 5000)
  t.equal(announcedLifetime(headers('keep-alive', 'max=100;Timeout=12')), 12_000)
  t.equal(announcedLifetime(headers('Keep-Alive', 'max=100')), undefined)
  t.equal(announcedLifetime(headers('Connection', 'keep-alive', 'x-10-bytes', 'timeout=5')), undefined)
})
