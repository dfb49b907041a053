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

t.test('half of the assumed lifetime is safe until something is known', async (t) => {
  t.equal(lifetime().learned.safe(), 2000)
})

t.test('responses prove longer lifetimes, and never shorten them', async (t) => {
  const { learned } = lifetime()
  learned.answered(10_000)
  learned.answered(3000)
  t.equal(learned.safe(), 5000)
})

t.test('a connection is worth trying if a response would prove a longer lifetime', async (t) => {
  const { learned } = lifetime()
  t.notOk(learned.isUnproven(6000))
  t.ok(learned.isUnproven(6001))
  learned.answered(10_000)
  t.notOk(learned.isUnproven(15_000))
  t.ok(learned.isUnproven(15_001))
})

t.test('the earliest close counts, and longer proven lifetimes do not', async (t) => {
  const { learned } = lifetime()
  learned.answered(50_000)
  learned.closed(30_000)
  t.equal(learned.safe(), 15_000)
  learned.closed(60_000)
  t.equal(learned.safe(), 15_000)
  learned.closed(1000)
  t.equal(learned.safe(), 500)
})

t.test('the announced lifetime counts, unless the server closes earlier', async (t) => {
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
  t.equal(learned.safe(), ASSUMED / 2, 'and the refuted lifetime stays forgotten')

  learned.closed(1000)
  pass(60 * MINUTE)
  t.equal(learned.safe(), ASSUMED / 2, 'also after a long time without events')
})

t.test('connections that stay open longer show that a close had another reason', async (t) => {
  const { learned, pass } = lifetime()
  learned.closed(100)
  learned.open(300)
  t.equal(learned.safe(), 50, 'slightly longer is not enough')
  learned.open(301)
  t.equal(learned.safe(), 2000)

  learned.closed(200)
  pass(11 * MINUTE)
  t.equal(learned.safe(), 100)
  learned.answered(10_000)
  t.equal(learned.safe(), 5000, 'a response shows the same')
})

t.test('a connection that closed under a request counts, however long others stay open', async (t) => {
  const { learned, pass } = lifetime()
  learned.answered(50_000)
  learned.broke(30_000)
  learned.open(300_000)
  t.equal(learned.safe(), 15_000)
  pass(20 * MINUTE)
  t.equal(learned.safe(), 15_000, 'the proven lifetime ends there')
})

t.test('after a young connection broke, none is trusted for ten seconds', async (t) => {
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
