// Rolling updates of two gateways under load: `node dist/bench/rolling-update.js 10`. Prints every outcome of the
// requests that a balancer forwarded. The balancer notices a stopped gateway after three seconds, and never retries.
import { slowLoadBalancer, load, startReplica } from '../test/support/rolling-update.ts'

const rolls = Number(process.argv[2] ?? 10)
const replicas = [await startReplica('4s'), await startReplica('4s')]
const balancer = await slowLoadBalancer(
  replicas.map(({ port }) => port),
  3000,
)
const traffic = load(balancer.port, 200)
for (let roll = 0; roll < rolls; roll++) {
  await replicas[roll % 2]!.replace()
  await balancer.allUp()
}
console.log(JSON.stringify({ rolls, outcomes: await traffic.stop() }))
balancer.close()
for (const { kill } of replicas) kill()
