import type { IncomingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'

import t from 'tap'

import { fromThisMachine } from '../../src/door/this-machine.ts'

t.test(
  'a request is from this machine if it comes over loopback or a Unix socket, without headers of a proxy',
  async (t) => {
    const comes = (host: string, remoteAddress: string | undefined, headers: IncomingHttpHeaders = {}): boolean =>
      fromThisMachine(host)({ socket: { remoteAddress } as Socket, headers })

    t.ok(comes('0.0.0.0', '127.0.0.1'))
    t.ok(comes('::', '::ffff:127.0.0.1'))
    t.ok(comes('::', '::1'))
    t.ok(comes('unix:/run/gateway.sock', undefined))
    t.notOk(comes('0.0.0.0', '10.0.0.7'))
    t.notOk(comes('::', '::ffff:10.0.0.7'))
    t.notOk(comes('0.0.0.0', undefined), 'the socket is closed')
    for (const name of [
      'forwarded',
      'x-forwarded',
      'x-forwarded-for',
      'x_forwarded_for',
      'x-forwarded-host',
      'x-original-forwarded-for',
      'x-real-ip',
      'x-client-ip',
      'true-client-ip',
      'cf-connecting-ip',
      'x-cluster-client-ip',
      'x-azure-clientip',
      'x-envoy-external-address',
      'via',
    ]) {
      t.notOk(comes('127.0.0.1', '127.0.0.1', { [name]: 'x' }), `forwarded by a proxy: ${name}`)
      t.notOk(comes('unix:/run/gateway.sock', undefined, { [name]: 'x' }), name)
    }
    t.ok(comes('127.0.0.1', '127.0.0.1', { host: 'localhost', 'user-agent': 'curl/8', accept: '*/*', cookie: 'a=b' }))
  },
)
