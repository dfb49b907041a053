import t from 'tap'

import { explainForeign, leadsToSignIn } from '../../src/explanations/foreign-responses.ts'
import { explainGateway } from '../../src/explanations/gateway-errors.ts'

t.test('a connection failure with an unknown reason has a general explanation', async (t) => {
  const error = { code: 'GATEWAY_DYNAMICS_UNREACHABLE', message: 'Dynamics cannot be reached.', host: 'x.example' }
  t.match(explainGateway(error), { what: 'Dynamics cannot be reached.' })
  t.match(explainGateway({ ...error, causes: ['something'] }), { what: 'Dynamics cannot be reached. (something)' })
})

t.test(
  'a WS-Federation URL is a sign-in page; a response without a content type is explained without it',
  async (t) => {
    const environment = { origin: 'https://contoso.crm4.dynamics.com', apiRoot: '/api/data/v9.2' }
    const authority = 'https://login.microsoftonline.com'
    t.equal(leadsToSignIn('https://sts.example/?wa=wsignin1.0', environment, authority), true)
    t.equal(leadsToSignIn('https://sts.example/?wa=x', environment, authority), false)
    t.match(explainForeign({ status: 200, contentType: undefined, isPage: false } as never), {
      why: /not the JSON that was asked for\.$/,
    })
  },
)
