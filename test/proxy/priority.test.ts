import t from 'tap'

import { priorityOf, refusePartPriority, withoutPriority } from '../../src/proxy/priority.ts'

t.test('the preference is applied, however it is written', async (t) => {
  for (const prefer of [
    'gateway.priority=background',
    'Gateway.Priority = "background" ; a=1',
    'odata.include-annotations="*, gateway.priority=low", gateway.priority=background, wait=5',
    'gateway.priority=background, gateway.priority=interactive',
  ]) {
    t.same(
      priorityOf(prefer, 'interactive'),
      { priority: 'background', applied: 'gateway.priority=background' },
      prefer,
    )
  }
  t.same(priorityOf('gateway.priority=interactive', 'interactive'), {
    priority: 'interactive',
    applied: 'gateway.priority=interactive',
  })
})

t.test('without the preference the setting applies, and a background caller cannot raise itself', async (t) => {
  for (const prefer of [
    undefined,
    'wait=5',
    'x.gateway.priority=low',
    'gateway.priority-x=1',
    'a="gateway.priority"',
  ]) {
    t.same(priorityOf(prefer, 'background'), { priority: 'background', applied: undefined }, String(prefer))
    t.same(priorityOf(prefer, 'interactive'), { priority: 'interactive', applied: undefined }, String(prefer))
  }
  t.same(priorityOf('gateway.priority=interactive', 'background'), { priority: 'background', applied: undefined })
})

t.test('a mistyped value is an error that names the two words', async (t) => {
  for (const prefer of [
    'gateway.priority=low',
    'gateway.priority',
    'gateway.priority=',
    'gateway.priority background',
    'gateway.priority=background, gateway.priority=high',
    `gateway.priority${' '.repeat(60_000)}x`,
  ]) {
    t.throws(() => priorityOf(prefer, 'interactive'), {
      code: 'GATEWAY_BAD_PREFERENCE',
      message: /background or interactive/,
    })
  }
})

t.test('the rest of the header is unchanged', async (t) => {
  for (const [prefer, rest] of [
    ['gateway.priority=background', undefined],
    ['wait=5,a="x, y\\", gateway.priority=z"', 'wait=5,a="x, y\\", gateway.priority=z"'],
    ['wait=5, gateway.priority=background,  odata.maxpagesize=5', 'wait=5,  odata.maxpagesize=5'],
    ['gateway.priority=background, return=representation', 'return=representation'],
    ['return=minimal', 'return=minimal'],
  ] as const) {
    t.equal(withoutPriority(prefer), rest, prefer)
  }
})

t.test('in a part of a $batch it is refused', async (t) => {
  refusePartPriority(1, [
    { name: 'Prefer', value: 'return=minimal' },
    { name: 'X', value: 'gateway.priority=background' },
  ])
  t.throws(() => refusePartPriority(2, [{ name: 'prefer', value: 'a, gateway.priority=background' }]), {
    code: 'GATEWAY_BAD_PREFERENCE',
    message: /part 2 of the \$batch/,
  })
})
