import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'

import t from 'tap'

import { fromThisMachine } from '../../src/door/this-machine.ts'

t.test('a request comes from this machine over loopback or a Unix socket, and for nobody else', async (t) => {
  const comes = (host: string, remoteAddress: string | undefined, headers: IncomingHttpHeaders = {}): boolean =>
    fromThisMachine(host)({ socket: { remoteAddress } as Socket, headers })

  t.ok(comes('0.0.0.0', '127.0.0.1'))
  t.ok(comes('::', '::ffff:127.0.0.1'))
  t.ok(comes('::', '::1'))
  t.ok(comes('unix:/run/gateway.sock', undefined))
  t.notOk(comes('0.0.0.0', '10.0.0.7'))
  t.notOk(comes('::', '::ffff:10.0.0.7'))
  t.notOk(comes('0.0.0.0', undefined), 'it has gone')
  for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']) {
    t.notOk(comes('127.0.0.1', '127.0.0.1', { [name]: 'x' }), `a proxy stands here: ${name}`)
    t.notOk(comes('unix:/run/gateway.sock', undefined, { [name]: 'x' }), name)
  }
})
