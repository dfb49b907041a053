import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'

import t from 'tap'

import { claimsRequestOf } from '../../src/dynamics/authorize.ts'
import { CredentialRejected, TokenUnavailable } from '../../src/errors.ts'
import {
  answerJson,
  fixedToken,
  listenOnFreePort,
  outbound,
  pause,
  received,
  service,
  socketService,
  text,
  connectionFixture,
} from '../support/connection-fixture.ts'
import { until } from '../support/until.ts'

t.setTimeout(600_000)

const CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1767000000"}}}'

t.test('every request carries the current token', async (t) => {
  const origin = await service(t, ({ headers }, response) => answerJson(response, 200, headers.authorization))
  const { send } = connectionFixture(t, origin)

  t.equal(await text(await send(outbound())), '"Bearer token"')
})

t.test('the wait for the first token is timed, and ends when the caller disconnects', async (t) => {
  const origin = await service(t, ({ headers }, response) => answerJson(response, 200, headers.authorization))
  let arrive: ((token: string) => void) | undefined
  const token = new Promise<string>((resolve) => {
    arrive = resolve
  })
  const { send } = connectionFixture(t, origin, {}, { ...fixedToken(), authorization: () => token })
  const stays = outbound()
  const leaves = outbound()

  const answer = send(stays)
  const none = send(leaves)
  await pause(20)
  leaves.cancellation.cancel(new Error('left'))
  await t.rejects(none, { message: 'left' })
  arrive!('Bearer late')

  t.equal(await text(await answer), '"Bearer late"')
  t.ok(stays.timings.token >= 15)
  t.ok(stays.timings.dynamics > 0)
})

t.test('after a 401 the request is sent again with a new token and the same body', async (t) => {
  const bodies: string[] = []
  const origin = await service(t, async (request, response) => {
    bodies.push(await received(request))
    const old = request.headers.authorization === 'Bearer old'
    if (old)
      response.setHeader(
        'www-authenticate',
        `Bearer error="insufficient_claims", claims="${Buffer.from(CLAIMS).toString('base64')}"`,
      )
    answerJson(response, old ? 401 : 201, {})
  })
  const credential = fixedToken('old', 'new')
  const { send, events } = connectionFixture(t, origin, {}, credential)

  const answer = await send(
    outbound({
      method: 'POST',
      body: Readable.from([Buffer.from('{"name":'), Buffer.from('"Fabrikam"}')]),
    }),
  )

  t.equal(answer.status, 201)
  t.same(bodies, ['{"name":"Fabrikam"}', '{"name":"Fabrikam"}'])
  t.same(credential.discarded, [['Bearer old', CLAIMS]], 'with the claims of the challenge')
  t.same(events, [{ kind: 'token-refused', repeated: true, id: 'test' }])
})

t.test('a token that was waited for can be refused, too', async (t) => {
  const origin = await service(t, ({ headers }, response) =>
    answerJson(response, headers.authorization === 'Bearer old' ? 401 : 200, headers.authorization),
  )
  const credential = fixedToken('old', 'new')
  const authorization = async (): Promise<string> => credential.authorization()
  const { send } = connectionFixture(t, origin, {}, { ...credential, authorization })

  t.equal(await text(await send(outbound())), '"Bearer new"')
  t.same(credential.discarded, [['Bearer old', undefined]])
})

t.test('a second 401 is an error of the gateway, not of the caller', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    response
      .writeHead(401, {
        'www-authenticate': 'Bearer authorization_uri=https://login.example/common, error="invalid_token"',
      })
      .end()
  })
  const { send } = connectionFixture(t, origin)

  await t.rejects(send(outbound()), {
    code: 'GATEWAY_TOKEN_REFUSED',
    statusCode: 502,
    cause: { message: 'Dynamics 365 answered 401, invalid_token' },
  })
  t.equal(requests, 2)
})

t.test('a 401 without details is handled alike, and a long one does not block its connection', async (t) => {
  let connections = 0
  const server = createServer((_, response) => response.writeHead(401).end('x'.repeat(300_000)))
  server.on('connection', () => connections++)
  const { send } = connectionFixture(t, `http://127.0.0.1:${await listenOnFreePort(t, server)}`)

  await t.rejects(send(outbound()), { code: 'GATEWAY_TOKEN_REFUSED', cause: { message: 'Dynamics 365 answered 401' } })
  await t.rejects(send(outbound()), { code: 'GATEWAY_TOKEN_REFUSED' })
  t.ok(connections >= 3, 'the connection was closed instead of reading the rest')
})

t.test('without a token nothing is sent', async (t) => {
  let requests = 0
  const origin = await service(t, (_, response) => {
    requests++
    response.end()
  })
  const none = connectionFixture(
    t,
    origin,
    {},
    { ...fixedToken(), authorization: () => Promise.reject(new TokenUnavailable()) },
  )
  const rejected = connectionFixture(
    t,
    origin,
    {},
    {
      ...fixedToken(),
      authorization: () => {
        throw new CredentialRejected()
      },
    },
  )
  const left = outbound()
  left.cancellation.cancel(new Error('left'))

  await t.rejects(none.send(outbound()), { code: 'GATEWAY_TOKEN_UNAVAILABLE' })
  await t.rejects(rejected.send(outbound()), { code: 'GATEWAY_CREDENTIAL_REJECTED' })
  await t.rejects(none.send(left), { message: 'left' })
  t.equal(requests, 0)
})

t.test('a streamed body is not sent again after a 401', async (t) => {
  let requests = 0
  const origin = await service(t, async (request, response) => {
    requests++
    await received(request)
    response.writeHead(401).end()
  })
  const credential = fixedToken()
  const { send } = connectionFixture(t, origin, { keepBody: 4 }, credential)

  await t.rejects(send(outbound({ method: 'POST', body: Readable.from([Buffer.from('{"name":"Fabrikam"}')]) })), {
    code: 'GATEWAY_TOKEN_REFUSED',
  })
  t.equal(requests, 1)
  t.equal(credential.discarded.length, 1, 'the next request has a new token')
})

t.test('reads a claims challenge, and ignores other challenges', async (t) => {
  const encoded = Buffer.from(CLAIMS).toString('base64')
  t.equal(
    claimsRequestOf(
      'Bearer realm="", authorization_uri="https://login.example", error="insufficient_claims", ' +
        `claims="${encoded}"`,
    ),
    CLAIMS,
  )
  t.equal(
    claimsRequestOf(`Bearer error=insufficient_claims, claims=${encoded}`),
    CLAIMS,
    'unquoted, as Dynamics writes',
  )
  t.equal(
    claimsRequestOf(
      'Bearer authorization_uri=https://login.example/oauth2/authorize, ' +
        'resource_id=https://contoso.crm4.dynamics.com/',
    ),
    undefined,
  )
  t.equal(claimsRequestOf(`Bearer error="invalid_token", claims="${encoded}"`), undefined)
  t.equal(claimsRequestOf('Bearer error="insufficient_claims"'), undefined)
  t.equal(claimsRequestOf('Bearer error="insufficient_claims", claims="bm8ganNvbg=="'), undefined, 'not JSON')
})

t.test('a 401 whose body arrives late does not keep the retry from being cancelled', async (t) => {
  let requests = 0
  let refused: Socket | undefined
  const origin = await socketService(t, (socket) =>
    socket.on('data', () => {
      if (requests++ > 0) return
      refused = socket
      socket.write('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 4\r\n\r\n')
    }),
  )
  const { send, state } = connectionFixture(t, origin, {}, fixedToken('one', 'two'))
  const request = outbound()
  let outcome: unknown
  send(request).catch((error: Error) => {
    outcome = error.message
  })

  await until(() => requests === 2)
  refused!.end('late')
  await once(refused!, 'close')
  request.cancellation.cancel(new Error('left'))

  await until(() => outcome !== undefined)
  t.equal(outcome, 'left')
  t.equal(state().running, 0)
})

t.test('a 401 from another server is not taken for a refusal by Dynamics', async (t) => {
  for (const [headers, message] of [
    [{ 'content-type': 'text/html' }, /in place of Dynamics, with a page/],
    [{ 'www-authenticate': 'Basic realm="filter"' }, /in place of Dynamics, and asks for Basic/],
  ] as const) {
    const origin = await service(t, (_, response) => response.writeHead(401, headers).end('<html></html>'))
    await t.rejects(connectionFixture(t, origin).send(outbound()), {
      code: 'GATEWAY_TOKEN_REFUSED',
      cause: { message },
    })
  }
})
