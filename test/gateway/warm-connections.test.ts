import t from 'tap'

import { gatewayOnSockets } from '../support/gateway-on-sockets.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

t.test(
  'the first call uses a connection opened ahead, and log, metrics and inspector show which connection a call used',
  async (t) => {
    const gateway = await gatewayOnSockets({ INSPECTOR: 'true' })
    const { url } = gateway
    const inspectorLink = gateway.running.inspectorLink!
    await until(() => gateway.link.connections() === 1)

    for (const id of ['first', 'second']) {
      const response = await fetch(`${url}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-request-id': id },
        body: '{"subject":"x"}',
      })
      t.equal(response.status, 204)
    }
    await fetch(`${url}/-/livez`)

    const used = new Map(gateway.lines().map((line) => [line['id'], line['connection']]))
    t.equal(used.get('first'), 'reserve')
    t.not(used.get('second'), 'new')
    t.match(
      await (await fetch(`${url}/-/metrics`)).text(),
      /gateway_connections_total\{target="dynamics",connection="reserve"\} \d/,
    )
    const { requests } = (await (await fetch(`${inspectorLink}&format=json`)).json()) as {
      requests: { facts: string[][] }[]
    }
    t.match(Object.fromEntries(requests.at(-1)!.facts), { Connection: 'opened ahead, and kept in reserve' })

    await gateway.close()
    await until(() => gateway.link.connections() === 0)
  },
)
