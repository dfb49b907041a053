import { root } from '../setup/addresses.ts'
import { peers, peersWithMemory } from '../setup/peers.ts'
import { bodies } from './bodies.ts'
import { calls } from './calls.ts'
import { growth } from './growth.ts'
import { metadata } from './metadata.ts'
import { recordedTraces } from './recorded-traces.ts'
import { stalls } from './stalls.ts'
import { coldStart } from './start.ts'
import { direct, throughput } from './throughput.ts'
import { tracing } from './tracing.ts'

/** One part of the benchmark. */
interface Measure {
  readonly name: string
  /** Whether it is part of the quick run of two and a half minutes. */
  readonly inQuick: boolean
  readonly measure: (quick: boolean) => Promise<unknown>
}

const accounts = `${root}/accounts`

/** So many that identical requests of one user are hardly ever in progress together: they would share a call. */
const USERS = 30

/** All parts, in the order in which they run. */
export const measures: readonly Measure[] = [
  { name: 'direct', inQuick: true, measure: (quick) => direct(quick ? 2 : 5) },
  {
    name: 'throughput',
    inQuick: true,
    measure: (quick) =>
      throughput(
        'GET, 1 KB, 16 connections',
        peers(),
        { path: accounts, connections: 16, users: USERS, seconds: quick ? 2 : 5 },
        quick ? 3 : 4,
      ),
  },
  {
    name: 'same',
    inQuick: false,
    measure: () =>
      throughput(
        'GET, 1 KB, 16 connections, all requests identical, so that those in progress share calls',
        peers(),
        { path: accounts, connections: 16, seconds: 5 },
        4,
      ),
  },
  {
    name: 'connections',
    inQuick: false,
    measure: async () => {
      const load = { path: accounts, seconds: 5 }
      await throughput('GET, 1 KB, 1 connection', peers(), { ...load, connections: 1, users: USERS }, 4)
      return throughput('GET, 1 KB, 512 connections', peers(), { ...load, connections: 512, users: 2048 }, 4)
    },
  },
  {
    name: 'post',
    inQuick: false,
    measure: () =>
      throughput(
        'POST, 300 bytes, 16 connections',
        peers(),
        { path: `${root}/tasks`, connections: 16, seconds: 4, body: POSTED },
        3,
      ),
  },
  {
    name: 'memory',
    inQuick: false,
    measure: async () => {
      const load = { connections: 16, seconds: 3 }
      await throughput('GET, 1 KB, from memory', peersWithMemory(), { ...load, path: accounts }, 3)
      return throughput('GET, 100 KB, from memory', peersWithMemory(), { ...load, path: `${root}/tasks100k` }, 3)
    },
  },
  { name: 'metadata', inQuick: false, measure: () => metadata(40) },
  {
    name: '20k',
    inQuick: false,
    measure: () =>
      throughput(
        'GET, 20 KB, 16 connections',
        peers(),
        { path: `${root}/contacts`, connections: 16, users: USERS, seconds: 4 },
        4,
      ),
  },
  {
    name: '1m',
    inQuick: true,
    measure: (quick) =>
      throughput(
        'GET, 1 MB, 8 connections',
        peers(),
        { path: `${root}/leads`, connections: 8, users: USERS, seconds: quick ? 2 : 4 },
        quick ? 1 : 4,
      ),
  },
  {
    name: 'rate',
    inQuick: true,
    measure: (quick) =>
      throughput(
        'GET, 1 KB, 2,000 requests a second',
        peers(),
        { path: accounts, connections: 64, users: USERS, seconds: quick ? 2 : 10, rate: 2000 },
        quick ? 1 : 4,
      ),
  },
  { name: 'tracing', inQuick: false, measure: () => tracing(7, 4) },
  { name: 'recorded-traces', inQuick: false, measure: () => recordedTraces(30) },
  { name: 'stalls', inQuick: false, measure: () => stalls(peers(), 60) },
  { name: 'start', inQuick: true, measure: (quick) => coldStart(peers(), quick ? 3 : 15) },
  { name: 'bodies', inQuick: false, measure: () => bodies(peers(), 3) },
  { name: 'growth', inQuick: false, measure: growth },
  { name: 'calls', inQuick: false, measure: calls },
]

const POSTED = JSON.stringify({ subject: 'x'.repeat(270), prioritycode: 1 })
