import { randomUUID } from 'node:crypto'

import { createUserIndex } from '../src/users/user-index.ts'

// Memory of preloaded users, and time to find one: node --expose-gc dist/bench/preloaded-users.js

for (const count of [10_000, 100_000]) {
  const before = used()
  const index = createUserIndex(['internalemailaddress'])
  const started = performance.now()
  for (let first = 0; first < count; first += 2000) {
    index.apply((JSON.parse(page(first)) as { value: unknown[] }).value)
  }
  const built = performance.now() - started
  const after = used()
  const looked = performance.now()
  for (let number = 0; number < 100_000; number += 1) index.find({ email: addressOf(number % count) })
  const each = (performance.now() - looked) / 100_000
  console.log(
    `${count} users: ${((after - before) / 1024 / 1024).toFixed(1)} MiB, ${Math.round((after - before) / count)} bytes each, ` +
      `built in ${Math.round(built)} ms, found in ${(each * 1000).toFixed(2)} µs (${index.size()})`,
  )
}

function page(first: number): string {
  const value = Array.from({ length: 2000 }, (_, offset) => ({
    '@odata.etag': `W/"${first + offset}"`,
    systemuserid: randomUUID(),
    azureactivedirectoryobjectid: randomUUID(),
    internalemailaddress: addressOf(first + offset),
    isdisabled: offset % 5 === 0,
    applicationid: null,
    accessmode: 0,
    ownerid: randomUUID(),
  }))
  return JSON.stringify({ value })
}

function addressOf(number: number): string {
  return `firstname.lastname${number}@contoso.com`
}

function used(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().heapUsed
}
