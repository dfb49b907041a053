import t from 'tap'

import { UserAmbiguous, UserDisabled, UserNotPerson, UserUnknown } from '../../src/errors.ts'
import { inProcess } from '../../src/replicas/in-process.ts'
import type { SharedState } from '../../src/replicas/shared-state.ts'
import { shareUsers } from '../../src/users/shared-users.ts'
import { replicaSettings } from '../support/replica-settings.ts'

const [target] = replicaSettings(undefined).targets
const ADA = { email: 'ada@contoso.com' }
const SUBJECT = 'this e-mail address'

/** Two replicas in one process. */
function replicas(): [SharedState, SharedState] {
  const all = inProcess(100)
  const one = (): SharedState => ({
    ...all.of(target!),
    status: () => ({ disconnectedReason: undefined, replicas: 2 }),
  })
  return [one(), one()]
}

t.test('without other replicas nothing is shared', async (t) => {
  t.equal(shareUsers(inProcess(100).of(target!), target!), undefined)
})

t.test('a user that one replica found is known to the others, for the remaining time', async (t) => {
  const [one, two] = replicas().map((state) => shareUsers(state, target!)!)
  const user = { systemUserId: '11111111-2222-4333-8444-555555555555', foundBy: 'internalemailaddress' }
  t.equal(await two!.find('ada@contoso.com', ADA), undefined)
  one!.found('ada@contoso.com', { user }, 60_000)
  const found = await two!.find('ada@contoso.com', ADA)
  t.same(found!.user, user)
  t.ok(found!.remainingMs > 0 && found!.remainingMs <= 60_000)
})

t.test('each refusal is shared unchanged, including disabled users', async (t) => {
  const [one, two] = replicas().map((state) => shareUsers(state, target!)!)
  const gone: string[] = []
  two!.onRefused((key) => gone.push(key))
  for (const Fault of [UserUnknown, UserDisabled, UserAmbiguous, UserNotPerson]) {
    const fault = new Fault(SUBJECT)
    one!.found('ada@contoso.com', { fault }, 60_000)
    const found = await two!.find('ada@contoso.com', ADA)
    t.equal(found!.fault!.message, fault.message)
    t.ok(found!.fault instanceof Fault)
  }
  t.same(gone, Array(4).fill('ada@contoso.com'))
})

t.test('results of replicas with other lookup settings are ignored', async (t) => {
  const [one, two] = replicas()
  const verified = { impersonation: { ...target!.impersonation, verify: true } }
  const user = { systemUserId: '11111111-2222-4333-8444-555555555555', foundBy: 'internalemailaddress' }
  shareUsers(one, target!)!.found('ada@contoso.com', { user }, 60_000)
  t.equal(await shareUsers(two, verified)!.find('ada@contoso.com', ADA), undefined)
})

t.test('a row that is not a user is not found', async (t) => {
  const users = replicas().map((state) => shareUsers(state, target!)!)
  users[0]!.found('ada@contoso.com', { user: { systemUserId: "x' or 1", foundBy: 'internalemailaddress' } }, 60_000)
  t.equal(await users[1]!.find('ada@contoso.com', ADA), undefined)
  users[0]!.found('ada@contoso.com', { fault: new Error('another') }, 60_000)
  t.equal(await users[1]!.find('ada@contoso.com', ADA), undefined)
})
