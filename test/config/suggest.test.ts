import t from 'tap'

import { SETTING_VARIABLES } from '../../src/config/all-settings.ts'
import { schema } from '../../src/config/schema.ts'
import { below } from '../../src/config/setting.ts'
import type { Node } from '../../src/config/setting.ts'
import { suggestKey, suggestVariable } from '../../src/config/suggest.ts'

t.test('a variable with a name close to one of ours is reported', async (t) => {
  for (const [name, meant] of [
    ['IMPERSONATION_MODE', 'IMPERSONATION'],
    ['ALLOW_HOSTS', 'ALLOWED_HOSTS'],
    ['AUDITLOG', 'AUDIT_LOG'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['log_level', 'LOG_LEVEL'],
    ['Log-Level', 'LOG_LEVEL'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['AUDIT_LOG_FILE', 'AUDIT_LOG'],
    ['IMPERSONATION_HEADER', 'USER_EMAIL_HEADER'],
    ['GATEWAY_LOG_LEVEL', 'LOG_LEVEL'],
    ['DYNAMICS_GATEWAY_PORT', undefined],
    ['HEAD_TIMEOUT', 'headTimeout in a settings file'],
    ['dynamics_url', 'DYNAMICS_URL'],
    ['REQUEST_TIMEOUT_MS', 'REQUEST_TIMEOUT'],
    ['GATEWAY_CONFIG_FILE', 'GATEWAY_CONFIG'],
    ['MAX_CONNECTION', 'MAX_CONNECTIONS'],
    ['AUDIT_LOGS', 'AUDIT_LOG'],
    ['TRUSTED_PROXY', undefined],
  ] as const)
    t.equal(suggestVariable(name), meant, name)
})

t.test('variables of other programs are not', async (t) => {
  for (const name of [
    'PATH',
    'HOME',
    'HOSTNAME',
    'PORTS',
    'HOSTS',
    'POST',
    'USERNAME',
    'USER',
    'LANG',
    'NODE_ENV',
    'PWD',
    'SHLVL',
    'QUEUE',
    'NAME',
    'URL',
    'DYNAMICS_GATEWAY_SERVICE_HOST',
    'DYNAMICS_GATEWAY_PORT_8080_TCP_ADDR',
    'DYNAMICS_PORT',
    'KUBERNETES_PORT_443_TCP',
    'WEB_CONCURRENCY',
    'AZURE_SUBSCRIPTION_ID',
    'HTTPS_PROXY',
    'LOGNAME',
    'HOST_IP',
    'PORT_NAME',
    'LS_COLORS',
    'XDG_SESSION_ID',
    'COLORTERM',
  ])
    t.equal(suggestVariable(name), undefined, name)
  for (const name of SETTING_VARIABLES) t.equal(suggestVariable(name) ?? name, name, name)
})

t.test('a key of a file is told by the name of its variable, in another spelling, and in another place', async (t) => {
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

t.test('a near miss of every name in every group leads to that name', async (t) => {
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

/** Whether a near miss of `name` means another name as much. */
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

/** Every group, by its path, and the names in it. */
const GROUPS = groupsOf(schema, '')

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

/** A letter less, a letter twice, two swapped, other spellings, the plural, and the first word of several. */
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
