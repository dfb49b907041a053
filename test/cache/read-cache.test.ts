import t from 'tap'

import { cacheDirectives } from '../../src/cache/cache-directives.ts'
import { cacheReads } from '../../src/cache/read-cache.ts'
import { createResponseMemory } from '../../src/cache/response-memory.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Target } from '../../src/config/schema.ts'
import type { Send } from '../../src/dynamics/send.ts'
import { askedOf, bodyOf, MAX_LATENCY_MS, ModelDynamics, modelRequest } from '../support/model-dynamics.ts'
import type { Subject } from '../support/model-dynamics.ts'

/** Requests of the random test; `CACHE_CASES=1000000` for a long run, which takes minutes. */
const CASES = Number(process.env['CACHE_CASES'] ?? 20_000)
const SEED = Number(process.env['CACHE_SEED'] ?? 1)

const KEEP_MS = 10_000
const KEEP_ACCOUNTS = { entitySets: ['Accounts'], for: KEEP_MS, shared: false }
const SCHEMA_MS = 40_000

t.test(
  'no response goes to the wrong user or is staler than allowed, for random users, headers, writes and times',
  async (t) => {
    const random = randomFrom(SEED)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    const dynamics = new ModelDynamics(random)
    const memory = createResponseMemory(60_000)
    const send = cacheReads(dynamics.send, {
      target: targetWith({
        schemaCache: SCHEMA_MS,
        reads: { revalidate: true, keep: [KEEP_ACCOUNTS] },
      }),
      name: 'model',
      memory,
      now: () => dynamics.now,
    })
    const faults: string[] = []
    const sources: Record<string, number> = {}
    /** The last change that a caller knows of, by subject. */
    const known: Record<Subject, number> = { accounts: 0, contacts: 0, tasks: 0, schema: 0 }

    function read(): void {
      const user = pick(['a', 'b', undefined])
      const [resource, subject, bound] = pick([
        ['/accounts', 'accounts', KEEP_MS],
        ['/accounts?$top=1', 'accounts', KEEP_MS],
        ['/contacts(1)', 'contacts', 0],
        ['/contacts(1)?$select=x', 'contacts', 0],
        ['/tasks', 'tasks', 0],
        ['/$metadata', 'schema', SCHEMA_MS],
        ["/EntityDefinitions(LogicalName='a')", 'schema', SCHEMA_MS],
        ["/GlobalOptionSetDefinitions(Name='a')", 'schema', SCHEMA_MS],
      ] as const)
      const headers = [
        'accept-encoding',
        pick(['gzip', 'identity']),
        'accept',
        pick(['json', 'json', 'json', 'json', 'xml']),
      ]
      if (random() < 0.05) headers.push('x-unknown', pick(['1', '2']))
      if (user !== undefined) headers.push('callerobjectid', user)
      headers.push('x-ms-client-request-id', String(random()))
      const mustBeSent = random() < 0.05
      const maxAge = random() < 0.05 ? Math.ceil(random() * 10) : undefined
      const directives = maxAge === undefined ? undefined : cacheDirectives(`max-age=${maxAge}`)
      const cacheableRead = { identity: String(user), mustBeSent, directives }
      const request = modelRequest('GET', resource, headers, { cacheableRead })
      const started = dynamics.now
      const slack = started - MAX_LATENCY_MS
      const least = Math.max(
        known[subject],
        dynamics.valueAt(subject, slack, true),
        dynamics.valueAt(subject, slack - (mustBeSent ? 0 : Math.min(bound, (maxAge ?? Infinity) * 1000))),
      )
      if (random() < 0.05) dynamics.at(started + random() * 800, () => request.cancellation.cancel(new Error('left')))
      send(request)
        .then(async (answer) => {
          if (answer.status !== 200) throw new Error(`status ${answer.status}`)
          return (await bodyOf(answer)).toString()
        })
        .then(
          (body) => {
            if (!body.endsWith('}')) {
              faults.push(`${resource}: a part of a body ended as if it were complete`)
              return
            }
            const { asked, value } = JSON.parse(body) as { asked: string; value: number }
            const source = `${request.record.source} ${request.record.cacheStatus.replace(/ttl=-?\d+/, 'ttl')}`
            sources[source] = (sources[source] ?? 0) + 1
            if (asked !== askedOf(request))
              faults.push(`${resource} of ${String(user)} got the response to another read`)
            if (value < least) faults.push(`${resource} at ${started}: ${value} in place of ${least}, ${source}`)
          },
          () => undefined,
        )
    }

    function write(): void {
      const [method, resource, subjects, parts] = pick([
        ['PATCH', '/accounts(1)', ['accounts']],
        ['POST', '/accounts', ['accounts']],
        ['POST', '/tasks', ['tasks']],
        ['DELETE', '/contacts(1)', ['contacts']],
        ['POST', '/Anything', ['accounts', 'contacts', 'tasks']],
        ['POST', '/accounts(1)/Microsoft.Dynamics.CRM.Act', ['accounts']],
        ['POST', '/PublishAllXml', ['schema']],
        ['POST', '/$batch', ['accounts'], [{ method: 'PATCH', resourcePath: '/accounts(1)' }]],
        ['POST', '/$batch', ['contacts'], [{ method: 'POST', resourcePath: '/contacts' }]],
      ] as const)
      const request = modelRequest(method, resource, [], { writtenParts: parts })
      const started = dynamics.now
      if (random() < 0.05) dynamics.at(started + random() * 400, () => request.cancellation.cancel(new Error('left')))
      send(request)
        .then(async (answer) => {
          await bodyOf(answer)
          if (answer.status >= 400) return
          for (const subject of subjects) {
            known[subject] = Math.max(known[subject], dynamics.valueAt(subject, dynamics.now, true))
          }
        })
        .catch(() => undefined)
    }

    let time = 0
    for (let count = 0; count < CASES; count++) {
      // Requests come in bursts with pauses between them.
      time += random() < 0.6 ? random() * 20 : random() ** 4 * 6000
      const kind = random()
      dynamics.at(time, () => {
        if (kind < 0.93) read()
        else if (kind < 0.98) write()
        else dynamics.change(pick(['accounts', 'contacts', 'tasks', 'schema', 'schema']), false)
      })
      while (dynamics.now < time - 2000 && dynamics.next()) await settled()
    }
    while (dynamics.next()) await settled()

    t.same(faults.slice(0, 5), [], `seed ${SEED}`)
    t.ok(memory.size().bytes <= 60_000)
    // Without responses from memory the test would prove nothing.
    for (const kind of ['memory hit', 'memory fwd=stale', 'shared']) {
      const count = Object.entries(sources).reduce((sum, [source, one]) => sum + (source.startsWith(kind) ? one : 0), 0)
      t.ok(count > CASES / 200, `${kind}: ${JSON.stringify(sources)}`)
    }
  },
)

t.test('Dynamics confirms a row for ten minutes; then it is read in full', async (t) => {
  const dynamics = new ModelDynamics(() => 0.5)
  const send = cacheReads(dynamics.send, {
    target: targetWith({ schemaCache: 0, reads: { revalidate: true, keep: [] } }),
    name: 'model',
    memory: createResponseMemory(60_000),
    now: () => dynamics.now,
  })
  for (const [minute, cacheStatus] of [
    [0, 'fwd=uri-miss'],
    [9, 'fwd=stale; fwd-status=304'],
    [11, 'fwd=uri-miss'],
    [20, 'fwd=stale; fwd-status=304'],
  ] as const) {
    dynamics.now = minute * 60_000
    t.equal(await cacheStatusOf(send, '/contacts(1)', dynamics), cacheStatus)
  }
})

t.test('a change of users removes all rows, because it may change what they may read', async (t) => {
  const dynamics = new ModelDynamics(() => 0.5)
  let usersChanged: () => void = () => void t.fail('nobody listens')
  const send = cacheReads(dynamics.send, {
    target: targetWith({ schemaCache: 0, reads: { revalidate: false, keep: [KEEP_ACCOUNTS] } }),
    name: 'model',
    memory: createResponseMemory(60_000),
    onUsersChanged: (listener) => void (usersChanged = listener),
    now: () => dynamics.now,
  })
  t.equal(await cacheStatusOf(send, '/accounts', dynamics), 'fwd=uri-miss')
  t.match(await cacheStatusOf(send, '/accounts', dynamics), /^hit/)
  usersChanged()
  t.equal(await cacheStatusOf(send, '/accounts', dynamics), 'fwd=uri-miss')
})

/** Reads `resource` to its end. */
async function cacheStatusOf(send: Send, resource: string, dynamics: ModelDynamics): Promise<string> {
  const request = modelRequest('GET', resource, [], { cacheableRead: { identity: 'a', mustBeSent: false } })
  let body: Buffer | undefined
  void send(request)
    .then(bodyOf)
    .then((bytes) => (body = bytes))
  while (body === undefined) {
    dynamics.next()
    await settled()
  }
  return request.record.cacheStatus
}

/** Lets pending promises settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function targetWith(other: Partial<Target>): Target {
  const [target] = loadSettings(
    {
      DYNAMICS_URL: 'https://contoso.crm4.dynamics.com',
      AZURE_TENANT_ID: '11111111-1111-4111-8111-111111111111',
      AZURE_CLIENT_ID: '22222222-2222-4222-8222-222222222222',
      AZURE_CLIENT_SECRET: 'not-a-secret',
    },
    undefined,
  ).targets
  return { ...target!, ...other }
}
