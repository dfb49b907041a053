/** Serves what nginx cannot: tokens, users, uploads, spans, and delayed responses. `node small-service.js PORT` */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** As long as those of Entra. */
const ACCESS_TOKEN = 'x'.repeat(1500)

createServer((request, response) => {
  let received = 0
  request.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  request.on('end', () => {
    const delay = Number(request.headers['x-delay'] ?? 0)
    if (delay > 0) setTimeout(() => answer(request, response, received), delay)
    else answer(request, response, received)
  })
}).listen(Number(process.argv[2]), '127.0.0.1')

function answer({ url = '', headers }: IncomingMessage, response: ServerResponse, received: number): void {
  if (url.includes('/openid-configuration')) {
    const authority = `https://${headers.host}${url.replace(/\/v2\.0.*/, '')}`
    json(response, {
      issuer: `${authority}/v2.0`,
      authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
      token_endpoint: `${authority}/oauth2/v2.0/token`,
      jwks_uri: `${authority}/discovery/v2.0/keys`,
    })
  } else if (url === '/v1/traces') {
    response.end()
  } else if (url.includes('/oauth2/')) {
    json(response, { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: ACCESS_TOKEN })
  } else if (url.includes('/systemusers')) {
    const email = /%27([^%]+(?:%40[^%]+)?)%27/.exec(url)?.[1]?.replace('%40', '@') ?? ''
    json(response, {
      value: [
        {
          systemuserid: idOf(email),
          azureactivedirectoryobjectid: idOf(email),
          internalemailaddress: email,
          isdisabled: false,
          applicationid: null,
          accessmode: 0,
        },
      ],
    })
  } else {
    json(response, { received })
  }
}

function json(response: ServerResponse, body: object): void {
  const text = JSON.stringify(body)
  response
    .writeHead(200, {
      'content-type': 'application/json; odata.metadata=minimal',
      'odata-version': '4.0',
      'content-length': text.length,
    })
    .end(text)
}

function idOf(email: string): string {
  return `00000000-0000-4000-8000-${(/\d+/.exec(email)?.[0] ?? '1').padStart(12, '0')}`
}
