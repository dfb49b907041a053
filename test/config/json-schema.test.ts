import { readFileSync } from 'node:fs'

import t from 'tap'

import { settingsAsJsonSchema } from '../../src/config/json-schema.ts'

const folder = new URL('../../../config/', import.meta.url)

t.test('config/schema.json is printed from the schema: `npm run docs` updates it', async (t) => {
  t.same(JSON.parse(readFileSync(new URL('schema.json', folder), 'utf8')), settingsAsJsonSchema())
})

t.test('the schema for editors has the same names, and requires the same ones', async (t) => {
  t.match(settingsAsJsonSchema(), {
    type: 'object',
    additionalProperties: false,
    properties: {
      port: { type: 'integer', minimum: 0, maximum: 65_535, default: 8080 },
      trustNetwork: { type: 'boolean' },
      shutdownTimeout: { type: 'string', pattern: String },
      allowedHosts: { type: 'array', items: { type: 'string' } },
      targets: {
        type: 'array',
        items: {
          additionalProperties: false,
          required: ['url'],
          properties: {
            credential: {
              oneOf: [
                {
                  properties: { kind: { const: 'client-secret' }, secret: { type: 'object' } },
                  required: ['kind', 'tenantId', 'clientId', 'secret'],
                },
              ],
            },
          },
        },
      },
    },
  })
})
