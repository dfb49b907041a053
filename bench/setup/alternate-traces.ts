import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'

// Loaded into a gateway before its own code (`--import`). Gives each request a `traceparent`, and changes its sampled
// flag from phase to phase. Appends one line per phase to the file PHASES: recorded share, and microseconds of CPU per
// request. A machine that is busy affects neighbouring phases alike, and fresh processes differ by more than tracing
// costs.

/** Requests in a phase. They fill complete batches of spans, so that no phase pays for another. */
const PHASE_REQUESTS = 2048

const file = process.env['PHASES']!
/** One request of this many is recorded in every other phase. */
const interval = Number(process.env['RECORD_ONE_OF'])
let requests = 0
let isRecording = false
let before = process.cpuUsage()

subscribe('http.server.request.start', (message) => {
  if (requests === PHASE_REQUESTS) {
    const { user, system } = process.cpuUsage(before)
    appendFileSync(file, `${isRecording ? 1 / interval : 0} ${(user + system) / requests}\n`)
    before = process.cpuUsage()
    isRecording = !isRecording
    requests = 0
  }
  requests++
  const traceId = requests.toString(16).padStart(32, 'a')
  const flag = isRecording && requests % interval === 0 ? '01' : '00'
  const { request } = message as { readonly request: IncomingMessage }
  request.headers['traceparent'] = `00-${traceId}-00f067aa0ba902b7-${flag}`
})
