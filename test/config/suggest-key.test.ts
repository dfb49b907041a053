import t from 'tap'

import { schema } from '../../src/config/schema.ts'
import { below } from '../../src/config/setting.ts'
import type { Node } from '../../src/config/setting.ts'
import { suggestKey } from '../../src/config/suggest-key.ts'

/** Every group, by its path, and the names in it. */
const GROUPS = groupsOf(schema, '')

t.test('suggests the right key for the name of a variable, another spelling and another place', async (t) => {
  for (const [key, group, meant] of [
    ['MAX_RETRY_WAIT', 'targets[0]', 'maxRetryWait'],
    ['max_retry_wait', 'targets[0]', 'maxRetryWait'],
    ['MAX_RETRY_WAIT', '', 'targets[].maxRetryWait'],
    ['maxRetryWait', '', 'targets[].maxRetryWait'],
    ['maxRetryWiat', '', 'targets[].maxRetryWait'],
    ['PORT', '', 'port'],
    ['DYNAMICS_URL', 'targets[3]', 'url'],
    ['USER_EMAIL_HEADER', 'targets[0]', 'impersonation.header'],
    ['header', 'targets[0]', 'impersonation.header'],
    ['impersonation.mode', 'targets[0]', 'impersonation.mode'],
    ['impersonation', '', 'targets[].impersonation'],
    ['credentials', 'targets[0]', 'credential'],
    ['AZURE_TENANT_ID', 'targets[0].credential', 'tenantId'],
    ['tenant_id', 'targets[0].credential', 'tenantId'],
    ['tenant', 'targets[0].credential', 'tenantId'],
    ['authority', 'targets[0]', 'authorityHost'],
    ['timeout', 'targets[0]', 'requestTimeout, connectTimeout, idleTimeout, totalTimeout or tokenTimeout'],
    ['log-level', '', 'logLevel'],
    ['logLevel', 'targets[0]', 'logLevel at the top of the file'],
    ['colour', '', undefined],
  ] as const)
    t.equal(suggestKey(key, group, membersOf(group)), meant, `${key} in ${group}`)
})

t.test('for each name in each group, a misspelling leads to that name', async (t) => {
  for (const [group, names] of GROUPS) {
    for (const name of names) {
      for (const near of nearMisses(name)) {
        if (isAlsoOther(near, name, names)) continue
        const suggestion = suggestKey(near, group, names) ?? ''
        t.ok(suggestion.split(/, | or /).includes(name), `${group}.${near}: ${suggestion}`)
      }
    }
  }
})

/** Whether a misspelling of `name` is as close to another name. */
function isAlsoOther(near: string, name: string, names: readonly string[]): boolean {
  return (
    GROUPS.some(([, all]) => all.includes(near)) ||
    names.some(
      (other) =>
        other !== name &&
        (nearMisses(other).includes(near) || nearMisses(near.toLowerCase()).includes(other.toLowerCase())),
    )
  )
}

function groupsOf(node: Node, path: string): [string, readonly string[]][] {
  if (node.type === 'array') return groupsOf(node.items, `${path}[0]`)
  if (node.type === 'oneOf') return Object.values(node.kinds).flatMap((kind) => groupsOf(kind, path))
  if (node.type === 'setting') return []
  const members = Object.entries(node.members)
  return [[path, members.map(([name]) => name)], ...members.flatMap(([name, one]) => groupsOf(one, below(path, name)))]
}

function membersOf(group: string): readonly string[] {
  const place = group.replace(/\d+/g, '0')
  return GROUPS.find(([path]) => path === place)![1]
}

/**
 * A missing letter, a doubled letter, two swapped letters, other spellings, the plural, and the first of several words.
 */
function nearMisses(name: string): readonly string[] {
  const [first = ''] = /^[a-z]+/.exec(name) ?? []
  return [
    ...Array.from(name, (letter, at) => name.slice(0, at) + letter + name.slice(at)),
    ...(name.length > 3 ? Array.from(name, (_, at) => name.slice(0, at) + name.slice(at + 1)) : []),
    ...Array.from(name.slice(1), (letter, at) => name.slice(0, at) + letter + name[at]! + name.slice(at + 2)),
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    name.toUpperCase(),
    `${name}s`,
    ...(first.length >= 4 ? [first] : []),
  ]
}
