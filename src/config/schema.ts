import { authority, listenAddress, network, origin, publicUrl } from './addresses.ts'
import { callers, anybody } from './callers.ts'
import { credential } from './credential.ts'
import { environmentUrl } from './environment-url.ts'
import { ownHeader, requiredHeader } from './header-name.ts'
import type { Proxies } from './proxies.ts'
import { group } from './setting.ts'
import type { Read } from './setting.ts'
import { choice, duration, flag, list, matching, optional, parsed, readableFile, size, wholeNumber } from './values.ts'

// What an operator may set. Type, check, default and documentation of each setting stand here once.

const target = group('One environment: where it is, what the gateway proves its identity with, and its limits.', {
  name: optional(
    {
      about:
        'The prefix below which callers find this environment: `/sales/accounts`. ' +
        'May be left out where there is one target only.',
      write: 'a short name such as sales',
    },
    matching(
      /^[a-z][a-z0-9-]{0,31}$/,
      'is no prefix: write small letters, digits and dashes, beginning with a letter.',
    ),
  ),
  url: parsed(
    {
      about: 'The environment, or its whole API root.',
      env: 'DYNAMICS_URL',
      required: true,
      write: "the environment's URL, such as https://contoso.crm4.dynamics.com",
    },
    environmentUrl,
  ),
  scope: optional(
    {
      about: "The scope of the access token. Left out: the environment's origin and `/.default`.",
      env: 'DYNAMICS_SCOPE',
      write: 'a scope such as https://contoso.crm4.dynamics.com/.default',
    },
    matching(
      /^\S+\/\.default$/,
      'does not end in /.default: write a scope such as https://contoso.crm4.dynamics.com/.default.',
    ),
  ),
  credential,
  authorityHost: optional(
    {
      about: 'The authority, for national clouds or a private one. Left out: told by the host of the environment.',
      env: 'AZURE_AUTHORITY_HOST',
      write: 'an origin such as https://login.microsoftonline.us',
    },
    authority,
  ),
  impersonation: group('Acting as the user whose e-mail address a request carries.', {
    mode: choice({
      about:
        '`off`: the e-mail header means nothing. `optional`: without it a request runs as the application user. ' +
        '`required`: without it a request is refused. With `CREDENTIAL=delegated` the default is `off`.',
      env: 'IMPERSONATION',
      fallback: 'optional',
      words: ['off', 'optional', 'required'],
    }),
    header: parsed(
      {
        about: "The inbound header that carries the user's e-mail address.",
        env: 'USER_EMAIL_HEADER',
        fallback: 'x-user-email',
        write: 'a header name',
      },
      ownHeader,
    ),
    remember: duration({ about: 'How long a user that was found is remembered.', fallback: '10m' }),
    rememberUnknown: duration({ about: 'How long it is remembered that nobody has an address.', fallback: '60s' }),
    users: wholeNumber({
      about: 'How many users are remembered at most; as many unknown addresses beside them.',
      fallback: 10_000,
      least: 1,
      most: 1_000_000,
    }),
    lookupsPerSecond: wholeNumber({
      about: 'Look-ups of users in a second at most; further ones wait.',
      fallback: 20,
      least: 1,
      most: 1000,
    }),
    lookupTimeout: duration({ about: 'The longest wait for the look-up of a user.', fallback: '10s' }),
    verify: flag({
      about: "Proves on a user's first use, with one more request, that Dynamics really acts as this user.",
      env: 'IMPERSONATION_VERIFY',
      fallback: false,
    }),
  }),
  maxRetryWait: duration({
    about: "The longest total wait for Dynamics' service protection limits before the 429 is passed on.",
    env: 'MAX_RETRY_WAIT',
    fallback: '10s',
  }),
  requestTimeout: duration({
    about: "The longest wait for the head of Dynamics' answer. Dynamics itself ends a request after two minutes.",
    env: 'REQUEST_TIMEOUT',
    fallback: '125s',
    least: 1,
  }),
  connectTimeout: duration({
    restart: true,
    about: 'The longest wait for a connection to Dynamics or Entra.',
    env: 'CONNECT_TIMEOUT',
    fallback: '5s',
    least: 1,
  }),
  idleTimeout: duration({
    about: "The longest pause within the body of Dynamics' answer.",
    env: 'IDLE_TIMEOUT',
    fallback: '60s',
    least: 1,
  }),
  totalTimeout: duration({
    about: "The longest that one request may take, with its body and its answer's body.",
    env: 'TOTAL_TIMEOUT',
    fallback: '1h',
    least: 1,
  }),
  tokenTimeout: duration({ about: 'The longest wait for Entra.', env: 'TOKEN_TIMEOUT', fallback: '5s', least: 1 }),
  concurrency: wholeNumber({
    about: "Requests at Dynamics at once, at most; Dynamics' own hints lower it.",
    env: 'MAX_CONCURRENCY',
    fallback: 52,
    least: 1,
    most: 1000,
  }),
  queue: wholeNumber({
    about: 'Requests that may wait for their turn.',
    env: 'MAX_QUEUE',
    fallback: 1000,
    least: 0,
    most: 100_000,
  }),
  keepBody: size({
    about:
      'Bodies up to this size are kept until the answer, so that they can be sent again; ' +
      'larger ones are sent once.',
    fallback: '1MiB',
  }),
})

/** All settings. The environment describes exactly one target, a file any number. */
export const schema = group("The gateway's settings.", {
  host: parsed(
    {
      restart: true,
      about: 'The address to listen at, or `unix:/path.sock`.',
      env: 'HOST',
      fallback: '127.0.0.1',
      write: 'an address such as 127.0.0.1, or unix:/run/gateway.sock',
    },
    listenAddress,
  ),
  port: wholeNumber({
    restart: true,
    about: 'The port to listen at; 0 for any that is free.',
    env: 'PORT',
    fallback: 8080,
    least: 0,
    most: 65535,
  }),
  trustNetwork: flag({
    about:
      'Everybody who can reach the port may use the gateway. Needed to listen beyond loopback ' +
      'without callers of its own.',
    env: 'TRUST_NETWORK',
    fallback: false,
  }),
  allowedHosts: list(
    {
      about:
        'Names that callers may use for the gateway, beyond loopback addresses and names that ' +
        'public DNS cannot hold.',
      env: 'ALLOWED_HOSTS',
      write: 'host names separated by commas',
    },
    matching(/^[a-z0-9.:[\]-]+$/i, 'holds something that is no host name: write names such as gateway.contoso.com.'),
  ),
  allowedOrigins: list(
    {
      about: 'Origins whose pages may call the gateway from a browser.',
      env: 'ALLOWED_ORIGINS',
      write: 'origins such as https://app.contoso.com, separated by commas',
    },
    origin,
  ),
  requiredHeader: optional(
    {
      about:
        'A header that every request must carry, which a page in a browser cannot add by itself: ' +
        '`x-gateway: true`, or a name alone.',
      env: 'REQUIRED_HEADER',
      write: 'a header such as x-gateway: true',
    },
    requiredHeader,
  ),
  publicUrl: optional(
    {
      about: "The gateway's own URL in links, when callers reach it through another proxy.",
      env: 'PUBLIC_URL',
      write: 'a URL such as https://dynamics.contoso.com',
    },
    publicUrl,
  ),
  trustedProxies: list(
    {
      about: 'Addresses or networks of proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed in links.',
      env: 'TRUSTED_PROXIES',
      write: 'addresses such as 10.0.0.0/8, separated by commas',
    },
    network,
  ),
  shutdownTimeout: duration({
    restart: true,
    about: 'How long running requests may take to finish when the gateway stops.',
    env: 'SHUTDOWN_TIMEOUT',
    fallback: '25s',
  }),
  shutdownDelay: duration({
    restart: true,
    about:
      'After SIGTERM: how long the gateway still accepts and serves requests, though it is not ready, so that load ' +
      'balancers notice.',
    env: 'SHUTDOWN_DELAY',
    fallback: '300ms',
  }),
  bodyLimit: size({ about: 'The largest body that a request may have.', env: 'BODY_LIMIT', fallback: '1GiB' }),
  headTimeout: duration({
    restart: true,
    about: 'The longest that the head of a request may take to arrive.',
    fallback: '10s',
    least: 100,
  }),
  bodyTimeout: duration({
    restart: true,
    about: 'The longest pause while the body of a request arrives, or while a caller takes its answer.',
    fallback: '60s',
    least: 100,
  }),
  maxConnections: wholeNumber({
    restart: true,
    about: 'Connections of callers at once, at most.',
    env: 'MAX_CONNECTIONS',
    fallback: 4096,
    least: 1,
    most: 1_000_000,
  }),
  allowInspect: flag({
    restart: true,
    about:
      "Starts with Node's inspector on, or with options that write the memory to a file. " +
      "Whoever reaches the inspector's port reads every secret.",
    env: 'ALLOW_INSPECT',
    fallback: false,
  }),
  logLevel: choice({
    restart: true,
    about: 'The least important lines that are logged.',
    env: 'LOG_LEVEL',
    fallback: 'info',
    words: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
  logFormat: choice({
    restart: true,
    about: 'How the log is written; `auto` is pretty on a terminal and JSON elsewhere.',
    env: 'LOG_FORMAT',
    fallback: 'auto',
    words: ['auto', 'json', 'pretty'],
  }),
  auditLog: optional(
    {
      restart: true,
      about: 'Where a line for every write goes: `stdout`, `stderr`, or a file. Left out: nowhere.',
      env: 'AUDIT_LOG',
      write: 'stdout, stderr or a path',
    },
    (text) => text,
  ),
  tls: {
    ...group('Serves HTTPS, and knows callers by their certificates.', {
      certificate: parsed(
        {
          restart: true,
          about: 'A PEM file with the certificate and its chain.',
          required: true,
          write: 'the path of the file',
        },
        readableFile,
      ),
      key: parsed(
        {
          restart: true,
          about: 'A PEM file with the private key.',
          required: true,
          write: 'the path of the file',
        },
        readableFile,
      ),
      clientCa: optional(
        {
          restart: true,
          about: "A PEM file with the authorities that callers' certificates come from.",
          write: 'the path of the file',
        },
        readableFile,
      ),
    }),
    optional: true,
  },
  anybody,
  callers,
  targets: { type: 'many', about: 'The environments that the gateway forwards to.', of: target },
})

/** What is set, and the proxies that the network's usual variables name. */
export type Settings = Read<typeof schema> & { readonly proxies: Proxies }
export type Target = Settings['targets'][number]
