import { meaning } from './documentation.ts'
import { schema } from './schema.ts'
import type { Group, Members, Node } from './setting.ts'

/** A JSON Schema of the settings file, for editors. The gateway checks more than the schema. */
export function settingsAsJsonSchema(): object {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of dynamics-gateway',
    ...schemaOf(schema),
  }
}

function schemaOf(node: Node): object {
  switch (node.type) {
    case 'setting':
      return {
        description: `${meaning(node)} Write ${node.hint}.`,
        ...(node.jsonSchema ?? { type: 'string' }),
        ...(node.fallback === undefined ? {} : { default: node.fallback }),
      }
    case 'array':
      return { description: node.description, type: 'array', items: schemaOf(node.items) }
    case 'group':
      return groupSchema(node, {})
    case 'oneOf':
      return {
        description: node.description,
        oneOf: Object.entries(node.kinds).map(([kind, group]) => groupSchema(group, { kind: { const: kind } })),
      }
  }
}

function groupSchema({ description, members }: Group<Members>, also: Readonly<Record<string, object>>): object {
  const required = Object.entries(members)
    .filter(([, member]) => member.type === 'setting' && member.required === true)
    .map(([name]) => name)
  return {
    description,
    type: 'object',
    additionalProperties: false,
    required: [...Object.keys(also), ...required],
    properties: {
      ...also,
      ...Object.fromEntries(Object.entries(members).map(([name, member]) => [name, schemaOf(member)])),
    },
  }
}
