import t from 'tap'

import { SETTING_VARIABLES } from '../../src/config/all-settings.ts'
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
    ['PORT', '', 'port'],
    ['DYNAMICS_URL', 'targets[3]', 'url'],
    ['USER_EMAIL_HEADER', 'targets[0]', 'impersonation.header'],
    ['header', 'targets[0]', 'impersonation.header'],
    ['AZURE_TENANT_ID', 'targets[0].credential', 'tenantId'],
    ['tenant_id', 'targets[0].credential', 'tenantId'],
    ['log-level', '', 'logLevel'],
    ['logLevel', 'targets[0]', 'logLevel'],
    ['colour', '', undefined],
  ] as const)
    t.equal(suggestKey(key, group), meant, `${key} in ${group}`)
})
