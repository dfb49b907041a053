import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import t from 'tap'

import { atEndOfTurn } from '../../src/server/end-of-turn.ts'
import { rawSocket } from '../support/raw-socket.ts'
import { until } from '../support/until.ts'

t.test('everything of one turn runs in order, after what the turn itself does', async (t) => {
  const done: string[] = []

  atEndOfTurn({ run: () => done.push('first') })
  atEndOfTurn({ run: () => done.push('second') })
  process.nextTick(() => done.push('next tick'))
  done.push('now')
  await until(() => done.length === 4)

  t.strictSame(done, ['now', 'next tick', 'first', 'second'])
})

t.test('what is deferred at the end of a turn runs at the end of the next one', async (t) => {
  const done: string[] = []

  atEndOfTurn({
    run: () => {
      atEndOfTurn({ run: () => done.push('of the first') })
      done.push('first')
    },
  })
  atEndOfTurn({ run: () => done.push('second') })
  await until(() => done.length === 3)

  t.strictSame(done, ['first', 'second', 'of the first'])
})

t.test('requests that have arrived together are all read before the first is answered', async (t) => {
  const events: string[] = []
  const server = createServer((_request, response) => {
    events.push('read')
    atEndOfTurn({
      run: () => {
        events.push('written')
        response.end('ok')
      },
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo

  const { text } = await rawSocket(
    `http://127.0.0.1:${port}`,
    `${'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2)}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  )

  t.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3)
  t.strictSame(events, ['read', 'read', 'read', 'written', 'written', 'written'])
})
