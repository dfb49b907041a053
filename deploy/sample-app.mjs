// A sample app beside the gateway: shows the first accounts, as the user whose e-mail address is in the query.
//   curl 'http://127.0.0.1:3000/?user=adele.vance@contoso.com'
import { createServer } from 'node:http'

const GATEWAY = process.env.GATEWAY ?? 'http://localhost:8080'

createServer(async (request, response) => {
  const user = new URL(request.url, 'http://app').searchParams.get('user')
  try {
    const answer = await fetch(`${GATEWAY}/accounts?$select=name&$top=5`, { headers: user === null ? {} : { 'x-user-email': user } })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(await answer.text())
  } catch (error) {
    response.writeHead(502, { 'content-type': 'text/plain' }).end(`no answer from the gateway: ${error.cause?.code ?? error.message}\n`)
  }
}).listen(Number(process.env.PORT ?? 3000))

process.on('SIGTERM', () => process.exit(0))
