import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'

import { freePort, slowLoadBalancer, load, startReplica, statusOf } from '../support/rolling-update.ts'

// Ten rolling updates and more take a minute each: `node dist/bench/rolling-update.js 10`.
t.setTimeout(600_000)

const ROLLS = 2
const nginx = ['nginx', '/usr/sbin/nginx'].find((name) => spawnSync(name, ['-v']).status === 0)
const withoutNginx = nginx === undefined ? 'nginx is not installed (Debian: apt-get install nginx-light)' : false

t.test('a rolling update behind nginx refuses no request', { skip: withoutNginx }, async (t) => {
  const replicas = [await startReplica('1s'), await startReplica('1s')]
  t.teardown(() => replicas.forEach(({ kill }) => kill()))
  const port = await freePort()
  const folder = t.testdir({})
  mkdirSync(`${folder}/logs`)
  writeFileSync(
    `${folder}/nginx.conf`,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/1; proxy_temp_path ${folder}/2; fastcgi_temp_path ${folder}/3;
  uwsgi_temp_path ${folder}/4; scgi_temp_path ${folder}/5;
  upstream gateways { ${replicas.map((replica) => `server 127.0.0.1:${replica.port};`).join(' ')} keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost; }
  }
}
`,
  )
  const server = spawn(nginx!, ['-p', folder, '-c', `${folder}/nginx.conf`], { stdio: 'inherit' })
  t.teardown(() => server.kill('SIGTERM'))
  while ((await statusOf(port, '/-/livez')) !== 200) await sleep(20)

  const traffic = load(port, 200)
  for (let roll = 0; roll < ROLLS; roll++) {
    // nginx does not use a server for ten seconds (fail_timeout) after a refused connection (max_fails).
    if (roll > 0) await sleep(11_000)
    await replicas[roll % 2]!.replace()
  }
  const outcomes = await traffic.stop()

  t.same(Object.keys(outcomes), ['200'], JSON.stringify(outcomes))
  t.ok(outcomes['200']! > 100)
})

t.test('a rolling update behind a load balancer that notices after three seconds refuses no request', async (t) => {
  const replicas = [await startReplica('8s'), await startReplica('8s')]
  t.teardown(() => replicas.forEach(({ kill }) => kill()))
  const balancer = await slowLoadBalancer(
    replicas.map(({ port }) => port),
    3000,
  )
  t.teardown(balancer.close)

  const traffic = load(balancer.port, 200)
  for (let roll = 0; roll < ROLLS; roll++) {
    await replicas[roll % 2]!.replace()
    await balancer.allUp()
  }
  const outcomes = await traffic.stop()

  t.same(Object.keys(outcomes), ['200'], JSON.stringify(outcomes))
  t.ok(outcomes['200']! > 100)
})

t.test('during SHUTDOWN_DELAY the gateway is not ready, and closes each connection after its response', async (t) => {
  const replica = await startReplica('2s')
  t.teardown(replica.kill)
  const rolled = replica.replace()
  while ((await statusOf(replica.port, '/-/readyz')) !== 503) await sleep(10)
  const answers = await Promise.all(
    ['/accounts?$top=1', '/-/livez', '/foo.$batch'].map((path) => fetch(`http://127.0.0.1:${replica.port}${path}`)),
  )

  t.same(
    answers.map(({ status, headers }) => [status, headers.get('connection')]),
    [
      [200, 'close'],
      [200, 'close'],
      [400, 'close'],
    ],
  )
  await rolled
})
