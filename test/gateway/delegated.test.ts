import t from 'tap'

import { login } from '../../src/commands/login/login.ts'
import { commandFor } from '../support/command-io.ts'
import { gatewayForEmulator } from '../support/gateway-for.ts'
import { until } from '../support/until.ts'

t.test('with the credential of a person, requests run as that person, and each read is sent', async (t) => {
  const home = t.testdir({})
  const { XDG_STATE_HOME: before } = process.env
  process.env['XDG_STATE_HOME'] = home
  t.teardown(() => {
    if (before === undefined) delete process.env['XDG_STATE_HOME']
    else process.env['XDG_STATE_HOME'] = before
  })
  const { emulator, io } = await commandFor(t, { CREDENTIAL: 'delegated', XDG_STATE_HOME: home })
  emulator.signIn.interval = 0
  t.equal(await login({ device: true }, io), 0)
  const gateway = await gatewayForEmulator(t, emulator, { CREDENTIAL: 'delegated', AZURE_CLIENT_SECRET: undefined })
  const application = emulator.rows('systemusers').find((row) => row['applicationid'] === emulator.clientId)
  emulator.switches.latency = 100

  const answers = await Promise.all(
    [1, 2].map(async () => (await fetch(`${gateway.url}/WhoAmI`)).json() as Promise<{ UserId: string }>),
  )

  t.equal(answers[0]!.UserId, answers[1]!.UserId)
  t.ok(emulator.rows('systemusers').some((row) => row['systemuserid'] === answers[0]!.UserId))
  t.not(answers[0]!.UserId, application?.['systemuserid'])
  t.equal(
    emulator.received.filter(({ url }) => url.includes('WhoAmI')).length,
    2,
    'reads are not shared: somebody else may sign in between them',
  )
  await until(() => gateway.lines.filter(({ msg }) => msg === 'request').length === 2)
  t.match(
    gateway.lines.filter(({ msg }) => msg === 'request'),
    [{ user: 'signed-in person' }, { user: 'signed-in person' }],
  )
})
