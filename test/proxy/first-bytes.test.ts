import type { ServerResponse } from 'node:http'

import t from 'tap'

import { withFirstBytes } from '../../src/proxy/first-bytes.ts'
import { writeResponse } from '../../src/proxy/write-response.ts'
import { connectionFixture, outbound, service } from '../support/connection-fixture.ts'

const ERROR = '{"error":{"code":"0x80040217","message":"not there"}}'

// The complete body of an error of Dynamics often arrives after its head.
for (const [name, contentLength] of [
  ['of a known length', String(ERROR.length)],
  ['in chunks', undefined],
] as const) {
  t.test(`a body ${name} that arrives after its head is seen and written`, async (t) => {
    let withHead: ServerResponse | undefined
    const dynamics = await service(t, (_request, response) => {
      withHead = response.writeHead(404, contentLength === undefined ? {} : { 'content-length': contentLength })
      response.flushHeaders()
    })
    const { send } = connectionFixture(t, dynamics)
    const seen: string[] = []
    const gateway = await service(t, (_request, response) => {
      void send(outbound()).then(({ status, body }) => {
        writeResponse(
          withFirstBytes(body, (bytes) => seen.push(String(bytes))),
          response,
          {
            status,
            headers: [],
            contentLength,
            hasBody: true,
            coding: undefined,
            transform: undefined,
            refuse: (cause) => response.writeHead(502).end(String(cause)),
          },
        )
        withHead!.end(ERROR)
      })
    })
    const answer = await fetch(gateway)

    t.equal(await answer.text(), ERROR)
    t.equal(answer.status, 404)
    t.strictSame(seen, [ERROR])
  })
}
