import t from 'tap'

import { chain } from '../../src/dynamics/chain.ts'
import type { CreateStage, Stage } from '../../src/dynamics/chain.ts'
import type { OutboundRequest, Send, UpstreamResponse } from '../../src/dynamics/send.ts'
import { outbound } from '../support/connection-fixture.ts'

/** A response with nothing but its status. */
function response(status: number): UpstreamResponse {
  return { status, headers: [] } as unknown as UpstreamResponse
}

/** A stage that notes what it sees in `seen`, and does what `stage` says. */
function noting(seen: string[], name: string, stage: Stage = {}): CreateStage {
  return () => ({
    enter(request) {
      seen.push(`${name} enters`)
      return stage.enter?.(request)
    },
    answered(given, request) {
      seen.push(`${name} ${given.status}`)
      return stage.answered?.(given, request) ?? given
    },
    failed(error, request) {
      seen.push(`${name} ${(error as Error).message}`)
      if (stage.failed === undefined) throw error
      return stage.failed(error, request)
    },
  })
}

/** The listeners for the ends of bodies. */
const closed: { readonly status: number; readonly close: () => void }[] = []

/** A response whose body the test ends. */
function closable(status: number): UpstreamResponse {
  const body = { onClose: (close: () => void) => void closed.push({ status, close }) }
  return { status, headers: [], body } as unknown as UpstreamResponse
}

const answering: Send = async () => response(200)
const failing: Send = () => Promise.reject(new Error('fails'))

t.test('a request passes the stages in order, its response or failure in reverse', async (t) => {
  const seen: string[] = []
  const stages = [noting(seen, 'outer'), () => ({}), noting(seen, 'inner')]
  t.equal((await chain(stages, answering)(outbound())).status, 200)
  t.same(seen.splice(0), ['outer enters', 'inner enters', 'inner 200', 'outer 200'])
  await t.rejects(chain(stages, failing)(outbound()), { message: 'fails' })
  t.same(seen, ['outer enters', 'inner enters', 'inner fails', 'outer fails'])
})

t.test('without stages, a request is only sent', async (t) => {
  t.equal((await chain([], answering)(outbound())).status, 200)
})

t.test('when a stage refuses a request, only the stages before it are notified', async (t) => {
  const seen: string[] = []
  const refusing: Stage = {
    enter() {
      throw new Error('refused')
    },
  }
  const send = chain([noting(seen, 'outer'), noting(seen, 'refusing', refusing), noting(seen, 'inner')], answering)
  await t.rejects(send(outbound()), { message: 'refused' })
  t.same(seen, ['outer enters', 'refusing enters', 'outer refused'])
})

t.test('all stages are notified when sending throws', async (t) => {
  const seen: string[] = []
  const send = chain([noting(seen, 'outer'), noting(seen, 'inner')], () => {
    throw new Error('broken')
  })
  await t.rejects(send(outbound()), { message: 'broken' })
  t.same(seen, ['outer enters', 'inner enters', 'inner broken', 'outer broken'])
})

t.test('a stage that sends the request itself sends it through the stages after it', async (t) => {
  const seen: string[] = []
  const paths: string[] = []
  const twice: CreateStage = (next) => ({
    async enter(request): Promise<UpstreamResponse> {
      await next({ ...request, path: '/first' })
      return next({ ...request, path: '/second' })
    },
    answered: () => t.fail('it has its response already') as never,
  })
  const sending: Send = async ({ path }: OutboundRequest) => {
    paths.push(path)
    return response(204)
  }
  const { status } = await chain([noting(seen, 'outer'), twice, noting(seen, 'inner')], sending)(outbound())
  t.equal(status, 204)
  t.same(paths, ['/first', '/second'])
  t.same(seen, ['outer enters', 'inner enters', 'inner 204', 'inner enters', 'inner 204', 'outer 204'])
})

t.test('outer stages see what an inner one makes of a response or a failure', async (t) => {
  const late = (): Promise<never> => Promise.reject(new Error('late'))
  const atOnce = (): never => {
    throw new Error('at once')
  }
  for (const [sending, stage, expected] of [
    [answering, { answered: () => response(201) }, 'outer 201'],
    [answering, { answered: async () => response(202) }, 'outer 202'],
    [answering, { answered: late }, 'outer late'],
    [answering, { answered: atOnce }, 'outer at once'],
    [failing, { failed: async () => response(200) }, 'outer 200'],
    [failing, { failed: late }, 'outer late'],
    [failing, { failed: atOnce }, 'outer at once'],
  ] as const satisfies readonly (readonly [Send, Stage, string])[]) {
    const seen: string[] = []
    await chain([noting(seen, 'outer'), noting(seen, 'inner', stage)], sending)(outbound()).catch(() => {})
    t.equal(seen.at(-1), expected)
  }
})

t.test(
  'each stage that a request has entered is notified when the body of its response has ended, or when it failed',
  async (t) => {
    for (const [inner, expected] of [
      // Both stages see one response.
      [{}, ['inner over 200', 'outer over 200']],
      // The inner one replaces it.
      [{ answered: () => closable(201) }, ['inner over 200', 'outer over 201']],
      [{ answered: async () => closable(202) }, ['inner over 200', 'outer over 202']],
      [{ answered: () => Promise.reject(new Error('late')) }, ['outer over', 'inner over 200']],
      [
        {
          answered() {
            throw new Error('at once')
          },
        },
        ['outer over', 'inner over 200'],
      ],
      // It sends the request itself.
      [{ enter: async () => closable(203) }, ['outer over 203']],
      [
        {
          enter() {
            throw new Error('refused')
          },
        },
        ['outer over'],
      ],
    ] as const satisfies readonly (readonly [Stage, readonly string[]])[]) {
      const seen: string[] = []
      let closing = ''
      const ending = (name: string, stage: Stage): CreateStage => {
        return () => ({ ...stage, ended: () => void seen.push(`${name} over${closing}`) })
      }
      closed.length = 0
      const send = chain([ending('outer', {}), () => ({}), ending('inner', inner)], async () => closable(200))
      await send(outbound()).catch(() => {})
      for (const { status, close } of closed.sort((one, other) => one.status - other.status)) {
        closing = ` ${status}`
        close()
      }
      t.same(seen, expected)
    }
  },
)
