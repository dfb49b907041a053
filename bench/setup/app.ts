/**
 * An app that calls Dynamics as one of its users, in one of the usual ways. `node app.js WAY SERVICE
 * GATEWAY`, prints JSON.
 */
import { ConfidentialClientApplication } from '@azure/msal-node'

import { root, tenant } from './addresses.ts'

const [way, service = '', gateway = ''] = process.argv.slice(2)
const email = 'user1@contoso.com'
const registration = { clientId: '22222222-2222-4222-8222-222222222222', clientSecret: 'secret' }
const authority = `${service}/${tenant}`
const users = new Map<string, string>()
let msal: ConfidentialClientApplication | undefined

const first = await timed(call)
const times: number[] = []
for (let count = 0; count < 20; count++) times.push(await timed(call))
times.sort((one, other) => one - other)
process.stdout.write(JSON.stringify({ first, steady: times[10] }))

async function timed(what: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await what()
  return performance.now() - began
}

async function call(): Promise<void> {
  switch (way) {
    case 'gateway':
      return get(`${gateway}/accounts`, { 'x-user-email': email })
    case 'api':
      return get(`${service}${root}/accounts`, {})
    case 'every': {
      const authorization = `Bearer ${await freshToken()}`
      return get(`${service}${root}/accounts`, { authorization, callerobjectid: await userOf(authorization) })
    }
    default: {
      const authorization = `Bearer ${await msalToken()}`
      const user = users.get(email) ?? (await userOf(authorization))
      users.set(email, user)
      return get(`${service}${root}/accounts`, { authorization, callerobjectid: user })
    }
  }
}

async function freshToken(): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: registration.clientId,
    client_secret: registration.clientSecret,
    scope: `${service}/.default`,
  })
  const { access_token: token } = (await (
    await fetch(`${authority}/oauth2/v2.0/token`, { method: 'POST', body })
  ).json()) as { access_token: string }
  return token
}

async function msalToken(): Promise<string> {
  msal ??= new ConfidentialClientApplication({
    auth: { ...registration, authority, knownAuthorities: [new URL(service).host] },
  })
  return (await msal.acquireTokenByClientCredential({ scopes: [`${service}/.default`] }))?.accessToken ?? ''
}

async function userOf(authorization: string): Promise<string> {
  const filter = encodeURIComponent(`internalemailaddress eq '${email}'`)
  const answer = await fetch(`${service}${root}/systemusers?$filter=${filter}`, { headers: { authorization } })
  const { value } = (await answer.json()) as { value: { systemuserid: string }[] }
  return value[0]!.systemuserid
}

async function get(url: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(url, { headers })
  await response.arrayBuffer()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
}
