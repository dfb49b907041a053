import t from 'tap'

import { isLoopbackAddress, isLoopbackHost, LOOPBACK_HOSTS } from '../../src/odata/loopback.ts'

t.test('recognises hosts that are certainly this machine', async (t) => {
  for (const [host, expected] of Object.entries({
    localhost: true,
    LocalHost: true,
    '127.0.0.1': true,
    '127.255.255.255': true,
    '127.8.9.10': true,
    '[::1]': true,
    'localhost.': false,
    'app.localhost': false,
    'localhost.evil.example': false,
    'evil-localhost': false,
    '127.0.0.1.nip.io': false,
    '127.1': false,
    '127.0.0.256': false,
    '127.0.0.01': false,
    '0127.0.0.1': false,
    '2130706433': false,
    '0x7f000001': false,
    '128.0.0.1': false,
    '0.0.0.0': false,
    '::1': false,
    '[::]': false,
    '[0:0:0:0:0:0:0:1]': false,
    '[::ffff:127.0.0.1]': false,
    '[::ffff:7f00:1]': false,
    '127.0.0.1\n': false,
    '': false,
  }))
    t.equal(isLoopbackHost(host), expected, JSON.stringify(host))
  for (const host of LOOPBACK_HOSTS) t.equal(isLoopbackHost(host), true, host)
})

t.test('recognises addresses of this machine', async (t) => {
  for (const [address, expected] of Object.entries({
    '127.0.0.1': true,
    '127.8.9.10': true,
    '::1': true,
    '::ffff:127.0.0.1': true,
    '::FFFF:127.0.0.2': true,
    localhost: false,
    '10.0.0.1': false,
    '::ffff:10.0.0.1': false,
    '::': false,
    '0.0.0.0': false,
    '[::1]': false,
    '::ffff:::1': false,
    'fe80::1': false,
    '127.0.0.1.example': false,
    '': false,
  }))
    t.equal(isLoopbackAddress(address), expected, address)
})
