import type { AddressInfo } from 'node:net'

import type { Dispatcher } from 'undici'

import { originsOf } from './dataverse/environment.ts'
import { createFileStore } from './dataverse/file-store.ts'
import { guidOf } from './dataverse/guid.ts'
import { type SchemaChanges, unchangedSchema } from './dataverse/metadata-changes.ts'
import { createStore, type Execution, type Row } from './dataverse/rows.ts'
import { addSampleData } from './dataverse/sample-data.ts'
import { typeOf } from './dataverse/schema.ts'
import { createThrottle } from './dataverse/throttle.ts'
import { createAccessTokens, type Person, type TokenSettings } from './entra/access-tokens.ts'
import { createAssertionKeys, type FederatedIssuer } from './entra/assertions.ts'
import type { OnBehalfOf } from './entra/on-behalf-of.ts'
import { createGrants, type SignIn } from './entra/sign-in.ts'
import { createUserTokens, type UserTokenOptions } from './entra/user-tokens.ts'
import { dispatcherTo } from './http/dispatcher.ts'
import { createFaultQueue, type DataverseFault, type EntraFault, type FaultQueue, type Limit } from './http/faults.ts'
import { createRequestLog, type ReceivedRequest } from './http/received.ts'
import { authorityOf, clientId, clientSecret, defaultEnvironment, tenantId } from './registration.ts'
import { type Load, serverOf } from './server.ts'
import { defaultSwitches, type Switches } from './switches.ts'

export { accountId, contactId } from './dataverse/sample-data.ts'
export type {
  DataverseFault,
  EntraFault,
  Execution,
  FaultQueue,
  FederatedIssuer,
  ReceivedRequest,
  Row,
  SignIn,
  Switches,
}
export { clientId, clientSecret, tenantId }

/** Options of an emulator. */
export interface EmulatorOptions {
  /** Port on loopback; 0 for any free port. */
  readonly port?: number
  /** The origin of the emulated environment. */
  readonly environment?: string
  /** Serves HTTPS instead of HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Seconds until an access token expires. */
  readonly tokenLifetime?: number
}

/** Scripted faults. */
export interface Faults {
  readonly dataverse: FaultQueue<DataverseFault>
  readonly entra: FaultQueue<EntraFault>
  /** Refuses every request to Dataverse with 429 for a time. */
  limit(period: { readonly kind?: Limit; readonly seconds: number }): void
  /** Requests to Dataverse within a Retry-After that an earlier response had announced. */
  readonly violations: number
  /** Removes all faults and limits. */
  clear(): void
}

/** A small Microsoft Entra and a small Dataverse, both on one loopback port. */
export interface Emulator {
  /** The address where both listen. */
  readonly origin: string
  /** The origin which the environment believes it has. */
  readonly environment: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** Connects `environment`, its `.api.` form and the authority of its cloud to the emulator; refuses other origins. */
  readonly dispatcher: Dispatcher
  /** The last thousand requests to Dataverse. */
  readonly received: ReceivedRequest[]
  /** The last thousand requests to Entra's token endpoint. */
  readonly tokenRequests: ReceivedRequest[]
  readonly faults: Faults
  /** How many writes were committed. */
  readonly executions: number
  /** The committed writes, in order. */
  readonly executed: readonly Execution[]
  /** Requests to Dataverse: in progress now, the peak, and the total. */
  readonly load: Readonly<Load>
  /** How the environment behaves; can be changed at any time. */
  readonly switches: Switches
  /** Changes of the definitions. */
  readonly schema: SchemaChanges
  /** How tokens are made; can be changed at any time. */
  readonly tokens: TokenSettings
  /** What a person does when asked to sign in; can be changed at any time. */
  readonly signIn: SignIn
  /** How the on-behalf-of grant is answered; can be changed at any time. */
  readonly onBehalfOf: OnBehalfOf
  /** The accepted client secrets; add and delete to rotate. */
  readonly secrets: Set<string>
  /** Registered redirect URIs, besides loopback. */
  readonly redirectUris: Set<string>
  /** Accepts assertions signed with the key of a certificate (PEM). */
  registerCertificate(pem: string): void
  registerFederatedIssuer(issuer: FederatedIssuer): void
  /** The token of a person signed in to an app that calls the app registration. */
  userToken(person: string, options?: UserTokenOptions): string
  /** An access token as Entra issues it: for the person with an address, or for the application. */
  token(person?: string): string
  /**
   * Invalidates all access tokens issued so far, and with `refreshTokens` also refresh tokens. With `claims` (JSON),
   * Dataverse then asks for them in its challenge.
   */
  revokeTokens(options?: { readonly claims?: string; readonly refreshTokens?: boolean }): void
  /** The rows of an entity set. */
  rows(entitySet: string): readonly Row[]
  /** Adds a row, or changes the one with the same id, without any checks. */
  put(entitySet: string, row: Row): Row
  /** Adds `count` copies of a sample row. */
  fill(entitySet: string, count: number): void
  close(): Promise<void>
}

/**
 * Starts an emulator with sample data on 127.0.0.1.
 *
 * @example
 * const emulator = await startEmulator()
 * const agent = emulator.dispatcher                     // sends to real URLs, without certificates
 * emulator.faults.dataverse.push({ kind: 'throttle', retryAfter: 2 })
 * emulator.received.at(-1)?.headers['callerobjectid']   // what Dataverse received
 * emulator.executions                                   // how many writes were committed
 * await emulator.close()
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const named = originsOf(options.environment ?? defaultEnvironment)
  const origins: [string, ...string[]] = [...named]
  const authority = new URL(authorityOf(named[0])).host
  const store = createStore()
  const switches = defaultSwitches()
  const schema = unchangedSchema()
  const environment = { store, files: createFileStore(), background: new Set<string>(), switches, origins, schema }
  addSampleData(environment)

  const tokens: TokenSettings = { lifetime: options.tokenLifetime ?? 3599, refreshIn: undefined }
  const signIn: SignIn = { user: 'adele.vance@contoso.com', answer: 'granted', interval: 1, deviceLifetime: 900 }
  const accessTokens = createAccessTokens(tokens)
  const keys = createAssertionKeys(() => Date.now() + switches.clockAhead)
  const secrets = new Set([clientSecret])
  const redirectUris = new Set<string>()
  const userTokens = createUserTokens()
  const onBehalfOf: OnBehalfOf = { consent: 'granted', demand: undefined, refuse: undefined }
  const grants = createGrants(signIn, () => personOf(signIn.user))
  const throttle = createThrottle()
  const dataverseFaults = createFaultQueue<DataverseFault>()
  const entraFaults = createFaultQueue<EntraFault>()
  const [dataverseLog, entraLog] = [createRequestLog(), createRequestLog()]
  const load: Load = { current: 0, peak: 0, total: 0 }
  let claims: string | undefined
  const hosts = new Map<string, 'dataverse' | 'entra'>([[authority, 'entra']])
  for (const each of named) hosts.set(new URL(each).host, 'dataverse')

  const server = serverOf(
    {
      entra: {
        accessTokens,
        tokens,
        keys,
        userTokens,
        onBehalfOf,
        grants,
        signIn,
        secrets,
        redirectUris,
        resources: origins,
        signedIn: () => personOf(signIn.user),
      },
      entraFaults,
      entraLog,
      dataverseLog,
      load,
      dataverse: { environment, accessTokens, throttle, faults: dataverseFaults, claims: () => claims },
      hosts,
    },
    options.tls,
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const scheme = options.tls === undefined ? 'http' : 'https'
  const origin = `${scheme}://127.0.0.1:${port}`
  const local = [`127.0.0.1:${port}`, `localhost:${port}`]
  origins.push(...local.map((host) => `${scheme}://${host}`))
  const dispatcher = dispatcherTo(origin, new Set([...hosts.keys(), ...local]), options.tls?.cert)

  return {
    origin,
    environment: named[0],
    tenantId,
    clientId,
    clientSecret,
    dispatcher,
    received: dataverseLog.requests,
    get tokenRequests() {
      return entraLog.requests.filter(({ url }) => url.includes('/oauth2/v2.0/token'))
    },
    faults: {
      dataverse: dataverseFaults,
      entra: entraFaults,
      limit: throttle.start,
      get violations() {
        return throttle.violations
      },
      clear() {
        dataverseFaults.clear()
        entraFaults.clear()
        throttle.release()
      },
    },
    get executions() {
      return store.executions.length
    },
    executed: store.executions,
    load,
    switches,
    schema,
    tokens,
    signIn,
    onBehalfOf,
    secrets,
    redirectUris,
    registerCertificate: keys.registerCertificate,
    registerFederatedIssuer: keys.registerFederatedIssuer,
    userToken: (person, how) => userTokens.issue(personOf(person), how),
    token: (person) => accessTokens.issue(named[0], person === undefined ? undefined : personOf(person)),
    revokeTokens(how) {
      claims = how?.claims
      accessTokens.revoke()
      if (how?.refreshTokens === true) grants.revoke()
    },
    rows: (entitySet) => [...store.table(entitySet).rows.values()],
    put(entitySet, row) {
      const { key } = typeOf(entitySet)
      const known = store.table(entitySet).rows.get(String(row[key]))
      return known === undefined ? store.insert(entitySet, row) : store.replace(entitySet, known, row)
    },
    fill(entitySet, count) {
      const { key } = typeOf(entitySet)
      const sample = store.table(entitySet).rows.values().next().value
      for (let number = 0; number < count; number += 1) {
        store.insert(entitySet, { ...sample, [key]: guidOf(`fill/${entitySet}/${number}`) })
      }
    },
    async close() {
      // A test that closes the emulator itself closes it again in its teardown.
      if (!server.listening) return
      await dispatcher.destroy()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }

  function personOf(address: string): Person {
    const row = [...store.table('systemusers').rows.values()].find((each) => each['internalemailaddress'] === address)
    return {
      objectId: String(row?.['azureactivedirectoryobjectid'] ?? guidOf(`entra/${address}`)),
      name: String(row?.['fullname'] ?? address),
      userName: address,
    }
  }
}
