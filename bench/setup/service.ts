import { randomBytes } from 'node:crypto'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { generate } from 'selfsigned'

import { far, origin, ports, root, tenant } from './addresses.ts'
import { ask } from './ask.ts'
import { dataverseHead } from './dataverse-head.ts'
import { cores, folder, installed } from './machine.ts'
import { pageOf } from './pages.ts'
import { start } from './process.ts'

/** Before they are written as UTF-8, which makes them half as long again, and compressed again. */
const METADATA_BYTES = 6_500_000

export const certificate = join(folder, 'service.pem')

/**
 * Starts the replacement of Entra and Dynamics: nginx with TLS, and a small Node process for tokens, users and uploads.
 */
export async function startService(): Promise<void> {
  const nginx = installed('nginx')
  if (nginx === undefined) {
    throw new Error('nginx is not installed; it is the service behind every proxy: apt-get install nginx')
  }
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  writeFileSync(certificate, cert)
  writeFileSync(join(folder, 'service.key'), key)
  const pages = join(folder, 'pages')
  mkdirSync(pages)
  for (const [name, size] of [
    ['accounts', 1000],
    ['contacts', 20_000],
    ['tasks100k', 100_000],
    ['leads', 1_000_000],
  ] as const) {
    writeFileSync(join(pages, name), pageOf(origin + root, name, size))
  }
  // 8 MB of gzip: bytes by chance do not become shorter.
  writeFileSync(join(pages, 'metadata'), gzipSync(`<edmx>${randomBytes(METADATA_BYTES).toString('latin1')}`))
  writeFileSync(join(pages, 'large'), '')
  truncateSync(join(pages, 'large'), 100 * 1024 * 1024)
  writeFileSync(join(folder, 'service.conf'), configuration(pages))
  start('small', cores.load, {
    program: process.execPath,
    args: [join(import.meta.dirname, 'small-service.js'), String(ports.small)],
  })
  start('service', cores.load, {
    program: nginx,
    args: ['-p', folder, '-e', join(folder, 'service-error.log'), '-c', join(folder, 'service.conf')],
  })
  const small = await ask(
    ports.service,
    `${root}/systemusers?$filter=x%20eq%20%27a@b.c%27`,
    {},
    {
      tls: true,
      retryForMs: 5000,
    },
  )
  if (small.status !== 200) throw new Error(`the service does not run: ${small.status}; see ${folder}`)
}

function configuration(pages: string): string {
  const head = dataverseHead.map(([name, value]) => `add_header ${name} '${value}' always;`).join(' ')
  const json = `default_type "application/json; odata.metadata=minimal"; ${head} etag off;`
  const tls =
    `ssl_certificate ${certificate}; ssl_certificate_key service.key; keepalive_requests 100000000; ` +
    'keepalive_timeout 120s; client_max_body_size 0;'
  const small =
    'proxy_pass http://small; proxy_http_version 1.1; proxy_set_header Connection ""; ' +
    'proxy_set_header Host $http_host; proxy_request_buffering off; proxy_buffering off;'
  return `
daemon off; master_process off; pid service.pid; worker_rlimit_nofile 4096;
events { worker_connections 4000; }
http {
  access_log off; error_log service-error.log; sendfile on; tcp_nodelay on; open_file_cache max=10; client_body_temp_path body; proxy_temp_path proxy;
  upstream small { server 127.0.0.1:${ports.small}; keepalive 64; }
  server {
    listen 127.0.0.1:${ports.service} ssl backlog=2048; ${tls}
    location ${root}/ { ${json} root ${pages}; rewrite ^${root}/(.*)$ /$1 break; }
    location = ${root}/tasks { add_header OData-Version 4.0 always; add_header OData-EntityId "${origin}${root}/tasks(00000000-0000-0000-0000-000000000001)" always; return 204; }
    location = ${root}/$metadata { default_type application/xml; add_header Content-Encoding gzip; add_header OData-Version 4.0; root ${pages}; rewrite ^ /metadata break; }
    location = ${root}/large { default_type application/octet-stream; root ${pages}; rewrite ^ /large break; }
    location ${root}/systemusers { ${small} }
    location = ${root}/uploads { ${small} }
    location /${tenant}/ { ${small} }
  }
  server {
    listen 127.0.0.1:${ports.far} ssl; ${tls}
    location /${tenant}/ { ${small} proxy_set_header x-delay ${far.entra}; }
    location / { ${small} proxy_set_header x-delay ${far.dynamics}; }
  }
}
`
}
