import t from 'tap'

import { placeholderIn, placeholderInSecret } from '../../src/config/placeholders.ts'

t.test('placeholders are found in every value, and in a secret if they are its complete text', async (t) => {
  for (const text of [
    '${SECRET}',
    '${SECRET:-}',
    '$(SECRET)',
    '{{ secret }}',
    '{{.Values.secret}}',
    '{subdomain}',
    '#{SECRET}#',
    '<secret>',
    '<your secret>',
    '[secret]',
    'your-secret-here',
    'your_client_secret',
    'YOUR-SECRET',
    'yourpassword',
    'put-the-secret-here',
    '$SECRET',
    '$env:SECRET',
    '%SECRET%',
    '__SECRET__',
    'changeme',
    'change-me',
    'CHANGE_ME',
    'replace_me',
    'placeholder',
    'TODO',
    'undefined',
    'null',
    '[object Object]',
    'the-value-of-the-secret',
    'Kx8****************',
    '********',
    '\u2022\u2022\u2022\u2022\u2022\u2022',
    'xxxx',
    'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx',
    '\u201Csecret\u201D',
    '\u2018secret\u2019',
    '\u00ABsecret\u00BB',
    'secret\u201D',
    'a\u00A0b',
    'a\u200Bb',
    '\u00A0a',
    'a\u00A0',
    'a\uFEFFb',
    '"${SECRET}"',
    ' <secret> ',
    '"\u201Csecret\u201D"',
    '@Microsoft.KeyVault(SecretUri=https://contoso.vault.azure.net/secrets/a)',
  ]) {
    t.type(placeholderIn(text), 'string', JSON.stringify(text))
    t.type(placeholderInSecret(text), 'string', JSON.stringify(text))
  }
})

t.test(
  'placeholders inside a value are found, but not inside a secret, which may contain any characters',
  async (t) => {
    for (const text of [
      'https://{subdomain}.crm4.dynamics.com',
      'https://${ORG}.crm4.dynamics.com',
      'https://<org>.crm4.dynamics.com',
      'https://yourorg.crm.dynamics.com',
      'https://your-org.crm.dynamics.com',
      'https://xxx.crm.dynamics.com',
      'https://login.microsoftonline.com/<tenant id>/v2.0',
      'https://login.microsoftonline.com/{tenantid}/v2.0',
    ]) {
      t.type(placeholderIn(text), 'string', text)
      t.equal(placeholderInSecret(text), undefined, text)
    }
  },
)

t.test('real values are accepted', async (t) => {
  for (const text of [
    'https://contoso.crm4.dynamics.com',
    'https://yourparkingspace.crm11.dynamics.com',
    'required',
    '10s',
    '*',
    '@contoso.com',
    '[::1]',
    'allow GET,POST accounts',
    'allow GET $metadata',
    'deny * xxx_table',
    'allow POST WinOpportunity()',
    'x-user-email',
    'x-gateway: true',
    '{11111111-2222-3333-4444-555555555555}',
    '{a1111111-2222-3333-4444-555555555555}',
    '7a5f4d1e-3c2b-4e9a-8f61-0d9b2c7e4a10',
    'a<b',
    '1 < 2',
    '/var/log/gateway/audit.log',
    'CN=John\u2019s laptop',
    'URI:spiffe://contoso/billing',
    '100%',
    '',
    'C:\\users\\me',
    'zażółć',
    '東京',
  ])
    t.equal(placeholderIn(text), undefined, JSON.stringify(text))
  for (const text of [
    'Kx8~n0t.4-real_s3cret',
    'pa$$word',
    'a${b}c',
    'a<b>c',
    'x{y}z',
    'a$SECRET',
    '50%OFF%',
    'it\u2019s',
    'changeit',
    '*',
    '**',
    'a#b',
  ])
    t.equal(placeholderInSecret(text), undefined, text)
})
