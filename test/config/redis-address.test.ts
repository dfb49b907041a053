import t from 'tap'

import { redisAddress } from '../../src/config/redis-address.ts'

t.test('a Redis URL has host, port, user and password', async (t) => {
  t.same(redisAddress('redis://redis'), {
    host: 'redis',
    port: 6379,
    tls: false,
    username: undefined,
    password: undefined,
    database: 0,
  })
  t.same(redisAddress('rediss://ada:p%40ss%2F@[::1]:6380/3'), {
    host: '::1',
    port: 6380,
    tls: true,
    username: 'ada',
    password: 'p@ss/',
    database: 3,
  })
})
