import { DynamicsWebApi } from 'dynamics-web-api'
import t from 'tap'

import { clientScenarios } from '../support/client-scenarios.ts'
import { gatewayFor } from '../support/gateway-for.ts'

clientScenarios(t, async (t) => {
  const { emulator, url } = await gatewayFor(t)
  return { client: new DynamicsWebApi({ serverUrl: url, dataApi: { version: '9.2' } }), url, emulator }
})
