import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { origin, ports, tenant } from './addresses.ts'
import { cores, folder, installed } from './machine.ts'
import { start } from './process.ts'
import type { Command, Running } from './process.ts'
import { certificate } from './service.ts'

/** A proxy between app and service. */
export interface Peer {
  readonly name: string
  readonly command: Command
}

const project = join(import.meta.dirname, '../../..')
const authorization = `Bearer ${'x'.repeat(1500)}`

/** The headers of every request under load. */
export const headers = {
  accept: 'application/json',
  'odata-maxversion': '4.0',
  'odata-version': '4.0',
  prefer: 'odata.include-annotations="*"',
  'user-agent': 'bench',
  'accept-encoding': 'gzip, deflate, br',
  'x-user-email': 'user1@contoso.com',
  authorization: 'Bearer of-the-caller',
}

/** Other programs to compare with, and whether they are installed. */
export const programs = { nginx: installed('nginx'), caddy: installed('caddy') } as const

/** All installed peers; the built gateway last. */
export function peers(): readonly Peer[] {
  const others = [
    programs.nginx === undefined ? [] : [nginx(programs.nginx)],
    programs.caddy === undefined ? [] : [caddy(programs.caddy)],
  ].flat()
  return [...others, bare(), floor(), { name: 'gateway', command: gateway() }]
}

/** nginx and the bare proxy unchanged, a Fastify route with a constant, and the gateway with all these pages cached. */
export function peersWithMemory(): readonly Peer[] {
  const keep = [{ entitySets: ['accounts', 'tasks100k'], for: '1h' }]
  const others = peers().filter(({ name }) => !['gateway', 'Caddy', 'floor'].includes(name))
  const constant = inNode('a constant in Fastify', 'constant.js')
  return [...others, constant, { name: 'gateway, from memory', command: gateway({ target: { reads: { keep } } }) }]
}

/** The peer that all ratios are to: `@fastify/http-proxy` that adds a header. */
export function bare(): Peer {
  return inNode('bare http-proxy', 'bare.js')
}

/** The lowest possible cost of a gateway on Fastify and undici. */
export function floor(): Peer {
  return inNode('floor', 'floor.js')
}

function inNode(name: string, file: string): Peer {
  return {
    name,
    command: {
      program: process.execPath,
      args: [join(import.meta.dirname, file), String(ports.proxy), origin],
      env: { NODE_EXTRA_CA_CERTS: certificate },
    },
  }
}

/** The gateway with all features: token, impersonation, links, log to a file, metrics. */
export function gateway({
  settings = {},
  target = {},
  service = origin,
}: { settings?: object; target?: object; service?: string } = {}): Command {
  const id = createHash('sha256')
    .update(JSON.stringify([settings, target, service]))
    .digest('hex')
    .slice(0, 8)
  const file = join(folder, `gateway-${id}.json`)
  writeFileSync(
    file,
    JSON.stringify({
      port: ports.proxy,
      logFormat: 'json',
      ...settings,
      targets: [
        {
          url: service,
          authorityHost: service,
          credential: {
            kind: 'client-secret',
            tenantId: tenant,
            clientId: '22222222-2222-4222-8222-222222222222',
            secret: { env: 'BENCH_SECRET' },
          },
          // The first requests of all users come within milliseconds.
          impersonation: { lookupsPerSecond: 1000 },
          ...target,
        },
      ],
    }),
  )
  return {
    program: process.execPath,
    args: [entry(), 'serve', '--config', file],
    env: { NODE_EXTRA_CA_CERTS: certificate, BENCH_SECRET: 'secret' },
  }
}

/** The result of `npm ci`: the bundle, if it exists. */
function entry(): string {
  const bundle = join(project, 'dist/bundle/gateway.js')
  return existsSync(bundle) ? bundle : join(project, 'dist/src/main.js')
}

function nginx(program: string): Peer {
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `
daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile 4096;
events { worker_connections 4000; }
http {
  access_log off; error_log nginx-error.log; client_body_temp_path body2; proxy_temp_path proxy2; client_max_body_size 0;
  keepalive_requests 100000000;
  upstream service { server localhost:${ports.service}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${ports.proxy} backlog=2048;
    location / {
      proxy_pass https://service; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost:${ports.service};
      proxy_set_header Authorization "${authorization}"; proxy_request_buffering off; proxy_max_temp_file_size 0;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate ${certificate}; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_session_reuse on;
    }
  }
}
`,
  )
  return {
    name: 'nginx',
    command: { program, args: ['-p', folder, '-e', join(folder, 'nginx-error.log'), '-c', file] },
  }
}

function caddy(program: string): Peer {
  const file = join(folder, 'Caddyfile')
  writeFileSync(
    file,
    `
{
  admin off
  auto_https off
}
http://127.0.0.1:${ports.proxy} {
  bind 127.0.0.1
  reverse_proxy ${origin} {
    header_up Host localhost:${ports.service}
    header_up Authorization "${authorization}"
    transport http {
      tls_trusted_ca_certs ${certificate}
      keepalive_idle_conns_per_host 512
      versions 1.1
      compression off
    }
  }
}
`,
  )
  return {
    name: 'Caddy',
    command: {
      program,
      args: ['run', '--adapter', 'caddyfile', '--config', file],
      env: { HOME: folder, GOMAXPROCS: '1' },
    },
  }
}

/** Starts `command` on the core for proxies. */
export function startPeer(name: string, command: Command): Running {
  return start(name.replaceAll(/\W/g, '-'), cores.proxy, command)
}
