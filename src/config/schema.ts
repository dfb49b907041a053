import { authority, listenAddress, network, origin, publicUrl } from './addresses.ts'
import { callers, anybody } from './callers.ts'
import { credential } from './credential.ts'
import { environmentUrl } from './environment-url.ts'
import { ownHeader, requiredHeader } from './header-name.ts'
import type { Proxies } from './proxies.ts'
import { redis } from './redis.ts'
import { group } from './setting.ts'
import type { Read } from './setting.ts'
import type { TracingSettings } from './tracing.ts'
import {
  choice,
  duration,
  flag,
  list,
  matching,
  optional,
  optionalNumber,
  parsed,
  readableFile,
  secret,
  size,
  wholeNumber,
} from './values.ts'

// The settings: type, check, default and documentation of each one, in one place.

const target = group('One environment: where it is, what the gateway proves its identity with, and its limits.', {
  name: optional(
    {
      description:
        'The prefix below which callers find this environment: `/sales/accounts`. Optional with a single target.',
      hint: 'a short name such as sales',
    },
    matching(
      /^[a-z][a-z0-9-]{0,31}$/,
      'is not a valid prefix: write lower-case letters, digits and dashes, beginning with a letter.',
    ),
  ),
  url: parsed(
    {
      description: 'The URL of the environment, or of its API root.',
      env: 'DYNAMICS_URL',
      required: true,
      hint: "the environment's URL, such as https://contoso.crm4.dynamics.com",
    },
    environmentUrl,
  ),
  scope: optional(
    {
      description: "The scope of the access token. Default: the environment's origin and `/.default`.",
      env: 'DYNAMICS_SCOPE',
      hint: 'a scope such as https://contoso.crm4.dynamics.com/.default',
    },
    matching(
      /^\S+\/\.default$/,
      'does not end in /.default: write a scope such as https://contoso.crm4.dynamics.com/.default.',
    ),
  ),
  credential,
  authorityHost: optional(
    {
      description:
        'The authority, for national clouds or a private one. Default: the authority of the cloud that hosts the environment.',
      env: 'AZURE_AUTHORITY_HOST',
      hint: 'an origin such as https://login.microsoftonline.us',
    },
    authority,
  ),
  impersonation: group('Acting as the user whose e-mail address or Entra object id a request carries.', {
    mode: choice({
      description:
        '`off`: the headers that name the user are ignored. `optional`: without them a request runs as the application ' +
        'user. `required`: without them a request is refused. With `CREDENTIAL=delegated` or `on-behalf-of` the default is `off`.',
      env: 'IMPERSONATION',
      fallback: 'optional',
      words: ['off', 'optional', 'required'],
    }),
    header: parsed(
      {
        description: "The inbound header that carries the user's e-mail address.",
        env: 'USER_EMAIL_HEADER',
        fallback: 'x-user-email',
        hint: 'a header name',
      },
      ownHeader,
    ),
    idHeader: parsed(
      {
        description: "The inbound header that carries the user's Entra object id, in place of the address.",
        env: 'USER_ID_HEADER',
        fallback: 'x-user-id',
        hint: 'a header name',
      },
      ownHeader,
    ),
    emailColumns: list(
      {
        description:
          'The columns of `systemusers` in which an address is looked for, in this order. The first column that ' +
          'holds it decides, also where its user is disabled or not the only one. Name only columns that people cannot ' +
          'change themselves.',
        env: 'USER_EMAIL_COLUMNS',
        fallback: ['internalemailaddress'],
        hint: 'columns such as internalemailaddress, domainname, windowsliveid, or one of your own',
      },
      matching(
        /^[a-z][a-z0-9_]{0,99}$/,
        'holds something that is not a column: write logical names, such as internalemailaddress or domainname.',
      ),
    ),
    remember: duration({ description: 'How long a user that was found is remembered.', fallback: '10m' }),
    rememberUnknown: duration({
      description: 'How long it is remembered that an address or id belongs to no user.',
      fallback: '60s',
    }),
    users: wholeNumber({
      description: 'Maximum number of remembered users, and of remembered unknown addresses and ids.',
      fallback: 10_000,
      minimum: 1,
      maximum: 1_000_000,
    }),
    lookupsPerSecond: wholeNumber({
      description: 'Maximum lookups of users per second; further ones wait.',
      fallback: 20,
      minimum: 1,
      maximum: 1000,
    }),
    lookupTimeout: duration({ description: 'The longest wait for the lookup of a user.', fallback: '10s' }),
    verify: flag({
      description: "Proves on a user's first use, with one more request, that Dynamics really acts as this user.",
      env: 'IMPERSONATION_VERIFY',
      fallback: false,
    }),
  }),
  users: group('The users of the environment in memory.', {
    preload: flag({
      description:
        'Reads all users at the start, in the background, and then every 30 s what has changed, while there are ' +
        'requests: no request waits for a lookup, and a user who is disabled is refused within a minute. It needs the ' +
        'right to read all users, and change tracking of the table `systemuser`, which is not switched on for it. ' +
        'Otherwise, and with more than 100,000 users, users are looked up one by one.',
      env: 'USERS_PRELOAD',
      fallback: false,
    }),
  }),
  maxRetryWait: duration({
    description: "The longest total wait for Dynamics' service protection limits before the 429 is passed on.",
    env: 'MAX_RETRY_WAIT',
    fallback: '10s',
  }),
  requestTimeout: duration({
    description:
      'The longest wait for the head of a response of Dynamics. Dynamics itself ends a request after two minutes.',
    env: 'REQUEST_TIMEOUT',
    fallback: '125s',
    minimum: 1,
  }),
  connectTimeout: duration({
    restart: true,
    description: 'The longest wait for a connection to Dynamics or Entra.',
    env: 'CONNECT_TIMEOUT',
    fallback: '5s',
    minimum: 1,
  }),
  idleTimeout: duration({
    description: 'The longest pause within the body of a response of Dynamics.',
    env: 'IDLE_TIMEOUT',
    fallback: '60s',
    minimum: 1,
  }),
  totalTimeout: duration({
    description: 'Maximum duration of one request, including the bodies of the request and the response.',
    env: 'TOTAL_TIMEOUT',
    fallback: '1h',
    minimum: 1,
  }),
  tokenTimeout: duration({
    description: 'The longest wait for Entra.',
    env: 'TOKEN_TIMEOUT',
    fallback: '5s',
    minimum: 1,
  }),
  concurrency: wholeNumber({
    description: 'Maximum concurrent requests to Dynamics. How many of them pay is measured.',
    env: 'MAX_CONCURRENCY',
    fallback: 52,
    minimum: 1,
    maximum: 1000,
  }),
  queue: wholeNumber({
    description: 'Maximum number of requests that wait in the queue.',
    env: 'MAX_QUEUE',
    fallback: 1000,
    minimum: 0,
    maximum: 100_000,
  }),
  keepBody: size({
    description:
      'Bodies up to this size are buffered until the response, so that they can be sent again; ' +
      'larger ones are sent once.',
    fallback: '1MiB',
  }),
  schemaCache: duration({
    description:
      'How stale `$metadata` and the definitions of tables, relationships and choices may be that are answered from ' +
      'memory, counted from the last proof that nothing changed. `0s`: they are not kept.',
    env: 'SCHEMA_CACHE',
    fallback: '60s',
  }),
  reads: group('Which rows are answered from memory. Each user gets only what this user was answered before.', {
    revalidate: flag({
      description:
        'Rows that are read by key are remembered with their ETag. Dynamics is still asked each time, and answers 304 ' +
        'in place of the row if nothing changed.',
      fallback: false,
    }),
    keep: {
      type: 'array',
      description: 'Entity sets whose rows hardly change, and how long they are answered from memory.',
      items: group('Entity sets that are kept for the same time.', {
        entitySets: list(
          {
            description: 'Names of entity sets, such as `transactioncurrencies`.',
            required: true,
            hint: 'names of entity sets',
          },
          matching(
            /^[a-z_]\w*$/i,
            'holds something that is not the name of an entity set: write transactioncurrencies.',
          ),
        ),
        for: duration({
          description: 'How old they may be.',
          fallback: '10m',
          minimum: 1000,
        }),
        shared: flag({
          description:
            'All users get the same response, which the first of them was answered. Only for entity sets of which ' +
            'everybody may read every row and every column.',
          fallback: false,
        }),
      }),
    },
  }),
  idempotencySalt: secret({
    description:
      'Keys the hashes that become the primary keys of rows created with an `Idempotency-Key`. The same in all ' +
      'replicas; with another one, a create that is sent again makes a second row. Default: derived from the app ' +
      'registration.',
    env: 'IDEMPOTENCY_SALT',
  }),
})

/** All settings. Environment variables describe one target, a file any number. */
export const schema = group("The gateway's settings.", {
  host: parsed(
    {
      restart: true,
      description: 'The address to listen at, or `unix:/path.sock`.',
      env: 'HOST',
      fallback: '127.0.0.1',
      hint: 'an address such as 127.0.0.1, or unix:/run/gateway.sock',
    },
    listenAddress,
  ),
  port: wholeNumber({
    restart: true,
    description: 'The port to listen at; 0 for any that is free.',
    env: 'PORT',
    fallback: 8080,
    minimum: 0,
    maximum: 65535,
  }),
  metricsHost: parsed(
    {
      restart: true,
      description:
        'The address of a second listener, which serves `/-/livez`, `/-/readyz` and `/-/metrics` only, to anyone who ' +
        'reaches it. Applies when METRICS_PORT is set.',
      env: 'METRICS_HOST',
      fallback: '127.0.0.1',
      hint: 'an address such as 0.0.0.0',
    },
    listenAddress,
  ),
  metricsPort: optionalNumber({
    restart: true,
    description: 'The port of that listener. Default: no second listener.',
    env: 'METRICS_PORT',
    minimum: 0,
    maximum: 65535,
  }),
  trustNetwork: flag({
    description:
      'Anyone who can reach the port may use the gateway. Needed to listen beyond loopback ' +
      'without callers of its own.',
    env: 'TRUST_NETWORK',
    fallback: false,
  }),
  allowedHosts: list(
    {
      description:
        'Names that callers may use for the gateway, beyond loopback addresses and names that ' +
        'public DNS cannot hold.',
      env: 'ALLOWED_HOSTS',
      hint: 'host names separated by commas',
    },
    matching(/^[a-z0-9.:[\]-]+$/i, 'holds something that is not a host name: write names such as gateway.contoso.com.'),
  ),
  allowedOrigins: list(
    {
      description: 'Origins whose pages may call the gateway from a browser.',
      env: 'ALLOWED_ORIGINS',
      hint: 'origins such as https://app.contoso.com, separated by commas',
    },
    origin,
  ),
  requiredHeader: optional(
    {
      description:
        'A header that every request must carry, which a page in a browser cannot add by itself: ' +
        '`x-gateway: true`, or a name alone.',
      env: 'REQUIRED_HEADER',
      hint: 'a header such as x-gateway: true',
    },
    requiredHeader,
  ),
  publicUrl: optional(
    {
      description: "The gateway's own URL in links, when callers reach it through another proxy.",
      env: 'PUBLIC_URL',
      hint: 'a URL such as https://dynamics.contoso.com',
    },
    publicUrl,
  ),
  trustedProxies: list(
    {
      description:
        'Addresses or networks of proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed in links.',
      env: 'TRUSTED_PROXIES',
      hint: 'addresses such as 10.0.0.0/8, separated by commas',
    },
    network,
  ),
  shutdownTimeout: duration({
    restart: true,
    description: 'How long running requests may take to finish when the gateway stops.',
    env: 'SHUTDOWN_TIMEOUT',
    fallback: '25s',
  }),
  shutdownDelay: duration({
    restart: true,
    description:
      'After SIGTERM: how long the gateway still accepts and serves requests, though it is not ready, so that load ' +
      'balancers notice.',
    env: 'SHUTDOWN_DELAY',
    fallback: '300ms',
  }),
  bodyLimit: size({ description: 'The largest body that a request may have.', env: 'BODY_LIMIT', fallback: '1GiB' }),
  headTimeout: duration({
    restart: true,
    description: 'Maximum time for the head of a request to arrive.',
    fallback: '10s',
    minimum: 100,
  }),
  bodyTimeout: duration({
    restart: true,
    description: 'The longest pause while the body of a request arrives, or while a caller reads its response.',
    fallback: '60s',
    minimum: 100,
  }),
  maxConnections: wholeNumber({
    restart: true,
    description: 'Maximum number of inbound connections.',
    env: 'MAX_CONNECTIONS',
    fallback: 4096,
    minimum: 1,
    maximum: 1_000_000,
  }),
  allowInspect: flag({
    restart: true,
    description:
      "Starts with Node's inspector on, or with options that write the memory to a file. " +
      "Whoever reaches the inspector's port reads every secret.",
    env: 'ALLOW_INSPECT',
    fallback: false,
  }),
  logLevel: choice({
    restart: true,
    description: 'The lowest level that is logged.',
    env: 'LOG_LEVEL',
    fallback: 'info',
    words: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
  logFormat: choice({
    restart: true,
    description: 'How the log is written; `auto` is pretty on a terminal and JSON elsewhere.',
    env: 'LOG_FORMAT',
    fallback: 'auto',
    words: ['auto', 'json', 'pretty'],
  }),
  auditLog: optional(
    {
      restart: true,
      description: 'Where the audit log, one line per write, goes: `stdout`, `stderr`, or a file. Default: nowhere.',
      env: 'AUDIT_LOG',
      hint: 'stdout, stderr or a path',
    },
    (text) => text,
  ),
  inspector: flag({
    restart: true,
    description:
      'The request inspector at `/-/inspector`: a page that shows what became of the last requests. It opens with the ' +
      'link that is printed at start, on this machine, or for a caller with `inspect: true`.',
    env: 'INSPECTOR',
    fallback: false,
  }),
  tls: {
    ...group('Serves HTTPS, and identifies callers by their certificates.', {
      certificate: parsed(
        {
          restart: true,
          description: 'A PEM file with the certificate and its chain.',
          required: true,
          hint: 'the path of the file',
        },
        readableFile,
      ),
      key: parsed(
        {
          restart: true,
          description: 'A PEM file with the private key.',
          required: true,
          hint: 'the path of the file',
        },
        readableFile,
      ),
      clientCa: optional(
        {
          restart: true,
          description: "A PEM file with the authorities that callers' certificates come from.",
          hint: 'the path of the file',
        },
        readableFile,
      ),
    }),
    optional: true,
  },
  redis,
  cacheMemory: size({
    description: 'The memory for responses that are kept, of all targets together. `0B`: nothing is kept.',
    env: 'CACHE_MEMORY',
    fallback: '64MiB',
  }),
  anybody,
  callers,
  targets: { type: 'array', description: 'The environments that the gateway forwards to.', items: target },
})

/** What is set, and what the usual variables say of the network's proxies and of tracing. */
export type Settings = Read<typeof schema> & {
  readonly proxies: Proxies
  readonly tracing: TracingSettings | undefined
}
export type Target = Settings['targets'][number]
