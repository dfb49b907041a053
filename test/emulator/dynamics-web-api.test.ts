import { DynamicsWebApi } from 'dynamics-web-api'
import t from 'tap'

import { clientScenarios } from '../support/client-scenarios.ts'
import { emulatorFor } from '../support/started-emulator.ts'

clientScenarios(t, async (t) => {
  const { emulator } = await emulatorFor(t)
  const onTokenRefresh = (): Promise<string> => Promise.resolve(emulator.token())
  const client = new DynamicsWebApi({ serverUrl: emulator.origin, dataApi: { version: '9.2' }, onTokenRefresh })
  return { client, url: emulator.origin, emulator }
})
