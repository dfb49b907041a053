import t from 'tap'

import { authorityOf } from '../../src/outbound/tunnel.ts'

t.test('CONNECT has host and port, with an IPv6 address in brackets', async (t) => {
  t.equal(authorityOf({ protocol: 'https:', hostname: 'contoso.example', port: '' }), 'contoso.example:443')
  t.equal(authorityOf({ protocol: 'http:', hostname: '::1', port: '' }), '[::1]:80')
  t.equal(authorityOf({ protocol: 'https:', hostname: 'contoso.example', port: '8443' }), 'contoso.example:8443')
})
