import { createHmac, generateKeyPairSync, sign } from 'node:crypto'

import t from 'tap'

import { clientSecret } from '../../emulator/emulator.ts'
import { keyHash } from '../../src/callers/api-key.ts'
import { gatewayWithFile } from '../support/gateway-for.ts'
import { get, rawRequest, requestOf } from '../support/raw-http.ts'
import { objectId, userId } from '../support/started-emulator.ts'

// Adele, who is signed in, tries to act as Alex: by tokens, by headers, and by parts of a batch. One line is one
// attack. Whatever the response is, nothing may reach Dynamics as Alex.

const ADELE = 'adele.vance@contoso.com'
const ALEX = 'alex.wilber@contoso.com'
const NOBODY = '00000000-0000-0000-0000-000000000000'
const KEY = 'key-of-the-jobs'

/** The expected status; `self`: the request runs as Adele. */
type Expected = number | 'self'

t.test('no request of Adele runs as Alex', async (t) => {
  const { emulator, url } = await gatewayWithFile(t, (credential) => {
    const { tenantId, clientId } = credential as { tenantId: string; clientId: string }
    const token = { issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`, audience: [clientId] }
    return {
      callers: [
        {
          name: 'desk',
          token: { ...token, roles: ['ActForOthers'] },
          userFrom: 'on-behalf-of-or-header',
          users: [ADELE],
        },
        { name: 'portal', token: { ...token, scopes: ['access_as_user'] }, userFrom: 'on-behalf-of' },
        { name: 'direct', token: { ...token, scopes: ['direct'] }, userFrom: 'oid' },
        { name: 'mail', token: { ...token, scopes: ['mail'] }, userFrom: 'email' },
        { name: 'jobs', keys: [keyHash(KEY)], users: [ADELE] },
      ],
      targets: [{ url: 'https://contoso.crm4.dynamics.com', credential }],
    }
  })
  const { tenantId, clientId } = emulator
  const port = Number(new URL(url).port)
  const alexId = objectId(emulator, ALEX)
  const adeleId = objectId(emulator, ADELE)

  const own = emulator.userToken(ADELE)
  const [ownHead, , ownSignature] = own.split('.') as [string, string, string]
  /** The claims of a token of Alex. Adele has no signed one. */
  const [alexHead, alexClaims] = emulator.userToken(ALEX).split('.') as [string, string, string]
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = foreign.publicKey.export({ format: 'jwk' })
  const publicKey = foreign.publicKey.export({ format: 'pem', type: 'spki' })
  const rs256 = (head: object): string => {
    const text = `${encoded({ alg: 'RS256', typ: 'JWT', ...head })}.${alexClaims}`
    return `${text}.${sign('sha256', Buffer.from(text), foreign.privateKey).toString('base64url')}`
  }
  const hs256 = (secret: string | Buffer): string => {
    const text = `${encoded({ alg: 'HS256', kid: 'emulated-user-tokens' })}.${alexClaims}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const issued = (claims: object): string => emulator.userToken(ADELE, { claims: { ...claims } })
  const bearer = (token: string): string => `Authorization: Bearer ${token}`
  const batch = (part: Readonly<Record<string, string>>): string => {
    const headers = Object.entries(part).map(([name, value]) => `${name}: ${value}`)
    const body = [
      '--b',
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      'GET /api/data/v9.2/WhoAmI HTTP/1.1',
      ...headers,
      '',
      '',
      '--b--',
      '',
    ].join('\r\n')
    const lines = [
      bearer(own),
      'Content-Type: multipart/mixed; boundary=b',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ]
    return requestOf('POST /$batch', ...lines) + body
  }
  const now = Math.floor(Date.now() / 1000)

  const tokens: readonly (readonly [string, string, Expected])[] = [
    ['no algorithm', `${encoded({ alg: 'none' })}.${alexClaims}.`, 401],
    ['no algorithm, in other letters', `${encoded({ alg: 'nOnE' })}.${alexClaims}.AA`, 401],
    ['no signature', `${alexHead}.${alexClaims}.`, 401],
    ['claims of another under her signature', `${ownHead}.${alexClaims}.${ownSignature}`, 401],
    ['half a signature', `${alexHead}.${alexClaims}.${ownSignature.slice(0, 100)}`, 401],
    ['five parts', `${own}.${alexClaims}.AA`, 401],
    ['HS256 with a public key', hs256(publicKey), 401],
    ['HS256 with the client secret', hs256(clientSecret), 401],
    ['HS256 with an empty key', hs256(Buffer.alloc(1)), 401],
    ['a key of her own', rs256({}), 401],
    ['a key of her own under the known name', rs256({ kid: 'emulated-user-tokens' }), 401],
    ['a key of her own in the head', rs256({ jwk }), 401],
    ['a key of her own at an address', rs256({ jku: 'http://127.0.0.1:1/keys', kid: 'x' }), 401],
    ['a certificate of her own at an address', rs256({ x5u: 'http://127.0.0.1:1/x', kid: 'x' }), 401],
    ['a key from the file system', rs256({ kid: '../../../../dev/null' }), 401],
    ['a critical extension', rs256({ crit: ['exp'] }), 401],
    ['the issuer of version 1', issued({ iss: `https://sts.windows.net/${tenantId}/` }), 401],
    ['the issuer with a slash', issued({ iss: `https://login.microsoftonline.com/${tenantId}/v2.0/` }), 401],
    ['the issuer of all tenants', issued({ iss: 'https://login.microsoftonline.com/common/v2.0' }), 401],
    ['a list of issuers', issued({ iss: [`https://login.microsoftonline.com/${tenantId}/v2.0`] }), 401],
    ['no issuer', issued({ iss: undefined }), 401],
    ['the audience of Graph', issued({ aud: '00000003-0000-0000-c000-000000000000' }), 401],
    ['an audience that begins like it', issued({ aud: `${clientId}0` }), 401],
    ['the audience in capitals', issued({ aud: clientId.toUpperCase() }), 401],
    ['a list of other audiences', issued({ aud: ['a', 'b'] }), 401],
    ['no audience', issued({ aud: undefined }), 401],
    ['an expired one', issued({ exp: now - 120 }), 401],
    ['an expiry that is no number', issued({ exp: String(now + 3600) }), 401],
    ['no expiry', issued({ exp: undefined }), 401],
    ['one of tomorrow', issued({ nbf: now + 86_400 }), 401],
    ['one of an application', issued({ idtyp: 'app', oid: alexId }), 403],
    ['one without a scope', issued({ scp: undefined }), 401],
    ['one with an empty scope', issued({ scp: '' }), 401],
    ['one with a longer scope', issued({ scp: 'access_as_user2' }), 401],
    ['an ID token', issued({ scp: undefined, nonce: 'n' }), 401],
    ['no object id', issued({ oid: undefined }), 403],
    ['the object id of nobody', issued({ oid: NOBODY }), 403],
    ['two object ids', issued({ oid: [adeleId, alexId] }), 403],
    ['an object id in braces', issued({ oid: `{${alexId}}` }), 403],
    ['an address as object id', issued({ oid: ALEX }), 403],
    ['no tenant', issued({ tid: undefined }), 403],
    ['two tenants', issued({ tid: [tenantId, tenantId] }), 403],
    ['a name that is that of another', issued({ preferred_username: ALEX, upn: ALEX, email: ALEX }), 'self'],
    ['a guest without a row', emulator.userToken('guest@fabrikam.example'), 403],
    ['oid: of nobody', issued({ scp: 'direct', oid: NOBODY }), 403],
    ['oid: of an application', issued({ scp: 'direct', idtyp: 'app', oid: alexId }), 403],
    ['oid: a header in it', issued({ scp: 'direct', oid: `${adeleId}\r\nMSCRMCallerID: x` }), 403],
    ['email: not verified', issued({ scp: 'mail', email: ALEX, email_verified: false }), 403],
    ['email: none', issued({ scp: 'mail', email: '' }), 403],
    ['email: a list', issued({ scp: 'mail', email: [ALEX] }), 403],
  ]
  const lines: readonly (readonly [string, readonly string[], Expected])[] = [
    ['two tokens', [bearer(own), bearer(`${alexHead}.${alexClaims}.AA`)], 401],
    ['two tokens in one line', [`${bearer(own)}, Bearer ${alexHead}.${alexClaims}.AA`], 401],
    ['a token as key', [`X-Api-Key: ${own}`], 401],
    ['an unknown key beside the token', [bearer(own), 'X-Api-Key: unknown'], 401],
    ['a token in another header', [`X-Authorization: Bearer ${own}`], 401],
    ['a token in a cookie', [`Cookie: token=${own}`], 401],
    ['another address', [bearer(own), `x-user-email: ${ALEX}`], 400],
    ['another address, in capitals', [bearer(own), `X-USER-EMAIL: ${ALEX}`], 400],
    ['her own address, and another', [bearer(own), `x-user-email: ${ADELE}`, `X-User-Email: ${ALEX}`], 400],
    [
      'another address that Connection takes away',
      [bearer(own), 'Connection: x-user-email', `x-user-email: ${ALEX}`],
      400,
    ],
    ...['x_user_email', 'x-user_email', 'xuseremail', 'x.user.email'].map(
      (name) => [`the header ${name}`, [bearer(own), `${name}: ${ALEX}`], 400] as const,
    ),
    ...['x-user-id', 'X-USER-ID', 'x_user_id', 'xuserid', 'x.user.id'].map(
      (name) => [`the header ${name}`, [bearer(own), `${name}: ${alexId}`], 400] as const,
    ),
    ['address and id', [bearer(own), `x-user-email: ${ALEX}`, `x-user-id: ${alexId}`], 400],
    ...['CallerObjectId', 'callerobjectid', 'MSCRMCallerObjectID', 'Caller_Object_Id', 'caller-object-id'].map(
      (name) => [`the header ${name}`, [bearer(own), `${name}: ${alexId}`], 400] as const,
    ),
    ['the header MSCRMCallerID', [bearer(own), `MSCRMCallerID: ${userId(emulator, ALEX)}`], 400],
    ['a principal of App Service', [bearer(own), `X-MS-CLIENT-PRINCIPAL-ID: ${alexId}`], 'self'],
    ['a user of a sign-in proxy', [bearer(own), `X-Forwarded-Email: ${ALEX}`, `X-Auth-Request-Email: ${ALEX}`], 'self'],
    ['a role that she does not have', [bearer(issued({ roles: ['actforothers'] })), `x-user-email: ${ALEX}`], 400],
    ['a role in the scope', [bearer(issued({ scp: 'access_as_user ActForOthers' })), `x-user-id: ${alexId}`], 400],
    ['one who is not listed', [bearer(issued({ roles: ['ActForOthers'] })), `x-user-email: ${ALEX}`], 403],
    ['one who is not listed, by id', [bearer(issued({ roles: ['ActForOthers'] })), `x-user-id: ${alexId}`], 403],
    ['a key that may name her only', [`X-Api-Key: ${KEY}`, `x-user-email: ${ALEX}`], 403],
    ['a key that may name her only, by id', [`X-Api-Key: ${KEY}`, `x-user-id: ${alexId}`], 403],
    ['a look-alike of her address', [`X-Api-Key: ${KEY}`, 'x-user-email: adele_vance@contoso.com'], 403],
    ['nobody, by id', [`X-Api-Key: ${KEY}`, `x-user-id: ${NOBODY}`], 400],
    ['an empty id', [`X-Api-Key: ${KEY}`, 'x-user-id:'], 400],
    ['another user beside the oid', [bearer(issued({ scp: 'direct' })), `x-user-email: ${ALEX}`], 400],
    ['another id beside the oid', [bearer(issued({ scp: 'direct' })), `x-user-id: ${alexId}`], 400],
  ]
  const parts: readonly (readonly [string, Readonly<Record<string, string>>, Expected])[] = [
    ...['x-user-email', 'X-USER-EMAIL', 'x_user_email', 'x.user.email'].map(
      (name) => [`a part with ${name}`, { [name]: ALEX }, 400] as const,
    ),
    ...['x-user-id', 'x_user_id', 'CallerObjectId', 'caller_object_id', 'MSCRMCallerID'].map(
      (name) => [`a part with ${name}`, { [name]: alexId }, 400] as const,
    ),
    ['a part with a token of its own', { Authorization: `Bearer ${alexHead}.${alexClaims}.AA` }, 'self'],
  ]

  const attacks: readonly (readonly [string, string, Expected])[] = [
    ...tokens.map(([name, token, expected]) => [name, get('/WhoAmI', bearer(token)), expected] as const),
    ...lines.map(([name, headers, expected]) => [name, get('/WhoAmI', ...headers), expected] as const),
    ...parts.map(([name, headers, expected]) => [name, batch(headers), expected] as const),
  ]
  t.ok(attacks.length >= 60, `${attacks.length} attacks`)
  for (const [name, request, expected] of attacks) {
    const before = emulator.received.length
    const { status, body } = await rawRequest({ port }, request)
    if (expected === 'self') t.match(body, userId(emulator, ADELE), `${name}: ${status} ${body.slice(0, 200)}`)
    else t.equal(status, expected, `${name}: ${body.slice(0, 200)}`)
    for (const { headers } of emulator.received.slice(before)) {
      t.notMatch(JSON.stringify(headers).toLowerCase(), alexId, `${name}: not with the id of Alex`)
      t.not(claimsIn(headers['authorization'])['oid'], alexId, `${name}: not with a token of Alex`)
    }
  }
  t.match(await rawRequest({ port }, get('/WhoAmI', bearer(own))), { status: 200, body: userId(emulator, ADELE) })
})

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function claimsIn(authorization = ''): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
}
