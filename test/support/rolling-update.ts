import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { get, Agent } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** A gateway in its own process, which can be replaced by another one on the same port. */
export interface Replica {
  readonly port: number
  /**
   * Stops it as an orchestrator does, with SIGTERM, and starts the next one on its port. Resolves when that is ready.
   */
  readonly replace: () => Promise<void>
  readonly kill: () => void
}

/** Starts a gateway with an emulated Dynamics. `delay` is its SHUTDOWN_DELAY. */
export async function startReplica(delay: string): Promise<Replica> {
  const port = await freePort()
  let child: ChildProcess = await start()
  return {
    port,
    async replace() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      child = await start()
    },
    kill: () => void child.kill('SIGKILL'),
  }

  async function start(): Promise<ChildProcess> {
    const started = spawn(process.execPath, [main, 'demo'], {
      env: { PATH: process.env['PATH'], PORT: String(port), LOG_LEVEL: 'silent', SHUTDOWN_DELAY: delay },
      stdio: 'ignore',
    })
    while ((await statusOf(port, '/-/readyz')) !== 200) {
      if (started.exitCode !== null) throw new Error(`the gateway ended with ${started.exitCode}`)
      await sleep(20)
    }
    return started
  }
}

/** A round-robin load balancer without retries that notices the state of a replica late. */
export interface SlowLoadBalancer {
  readonly port: number
  /** Resolves when all replicas receive connections. */
  readonly allUp: () => Promise<void>
  readonly close: () => void
}

/**
 *
 *
 * @param late milliseconds between a failing readiness probe and the last connection sent there
 */
export async function slowLoadBalancer(ports: readonly number[], late: number): Promise<SlowLoadBalancer> {
  const replicas = ports.map((port) => ({ port, up: true, failing: undefined as number | undefined }))
  let next = 0
  let ended = false
  const sockets = new Set<Socket>()
  const server: Server = createServer((inbound) => {
    const up = replicas.filter((replica) => replica.up)
    const outbound = connect(up[next++ % up.length]!.port, '127.0.0.1')
    for (const socket of [inbound, outbound]) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    inbound.pipe(outbound).pipe(inbound)
    inbound.on('error', () => outbound.destroy())
    outbound.on('error', () => inbound.resetAndDestroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  void (async () => {
    while (!ended) {
      for (const replica of replicas) {
        const ready = (await statusOf(replica.port, '/-/readyz')) === 200
        if (ready) replica.failing = undefined
        else replica.failing ??= performance.now()
        replica.up = replica.failing === undefined || performance.now() - replica.failing < late
      }
      await sleep(50)
    }
  })()
  return {
    port: (server.address() as AddressInfo).port,
    async allUp() {
      while (!replicas.every(({ failing }) => failing === undefined)) await sleep(20)
    },
    close() {
      ended = true
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends `perSecond` requests until `stop`, which resolves with the number of each outcome. */
export function load(port: number, perSecond: number): { readonly stop: () => Promise<Record<string, number>> } {
  const agent = new Agent({ keepAlive: false })
  const outcomes: Record<string, number> = {}
  const running = new Set<Promise<void>>()
  const timer = setInterval(() => {
    const one = statusOf(port, '/accounts?$select=name&$top=1', agent).then((outcome) => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      running.delete(one)
    })
    running.add(one)
  }, 1000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
      return outcomes
    },
  }
}

/** The status of a response that arrived completely, or an error code. */
export function statusOf(port: number, path: string, agent?: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path, agent: agent ?? false }, (response) => {
      response
        .resume()
        .on('end', () => resolve(response.statusCode!))
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
