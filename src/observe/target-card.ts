import type { Target } from '../config/schema.ts'
import type { Credential } from '../credentials/credential.ts'
import type { LimitReason } from '../dynamics/concurrency/adaptive-limit.ts'
import type { Connection, ConnectionState } from '../dynamics/connect.ts'
import type { Limit } from '../dynamics/limits/parse.ts'
import type { SharedState, SharingStatus } from '../replicas/shared-state.ts'
import type { UserDirectory } from '../users/directory.ts'
import type { PreloadState } from '../users/preloaded-users.ts'
import type { Activity, RecentActivity } from './activity.ts'
import { escape } from './escape.ts'
import { trafficChart } from './traffic-chart.ts'

/** The data of one target's card. */
export interface ShownTarget {
  readonly name: string
  readonly target: Pick<Target, 'url' | 'impersonation' | 'credential'>
  readonly credential: Pick<Credential, 'state'>
  readonly connection: Pick<Connection, 'state'>
  readonly directory: Pick<UserDirectory, 'cached' | 'preloadState'>
  readonly sharing: SharedState['status']
  readonly activity: Pick<Activity, 'recent'>
}

/** One target of the status page, as HTML. */
export function targetCard(shown: ShownTarget, now: number): string {
  const { name, target, credential, connection, directory, sharing, activity } = shown
  const token = credential.state()
  const state = connection.state()
  const replicas = sharing()
  const { traffic, limits, fault } = activity.recent()
  const rows: readonly (readonly [string, string])[] = [
    ['Environment', escape(target.url.origin)],
    [
      'Access token',
      token.token === 'none'
        ? badge('bad', token.failures > 0 ? 'none' : 'being fetched')
        : `${token.token === 'fresh' ? 'valid' : badge('warn', 'renewal due')}, ${duration(token.validFor)} left`,
    ],
    ['Credential', escape(target.credential.kind) + endIn(token.credentialEnds, now)],
    ['Connection', connectionIn(state)],
    ['At Dynamics', slotsIn(state)],
    ['Limits hit', limitsIn(limits)],
    ...(state.rates === undefined ? [] : [['Remaining limits', leftIn(state.rates)] as const]),
    ['Users', `${directory.cached().users} remembered, impersonation ${target.impersonation.mode}`],
    ...(directory.preloadState === undefined ? [] : [['Preloading', preloadIn(directory.preloadState())] as const]),
    ...(replicas === undefined ? [] : [['Replicas', replicasIn(replicas)] as const]),
  ]
  return `
<section class="card"><div class="head"><strong>${escape(name)}</strong>${stateBadge(token.token, token.failures, state)}</div>
<dl>${rows.map(([label, value]) => `<dt>${label}</dt><dd>${value}</dd>`).join('')}</dl>
${trafficChart(traffic)}
${token.lastFailure === undefined ? '' : `<div class="fault"><p><b>Access token</b></p><p>${escape(token.lastFailure)}</p></div>`}
${fault === undefined ? '' : faultIn(fault, now)}</section>`
}

function badge(kind: 'good' | 'warn' | 'bad', text: string): string {
  return `<span class="badge ${kind}">${text}</span>`
}

function stateBadge(token: string, failures: number, { circuit, pauseMs }: ConnectionState): string {
  if (token === 'none') return failures > 0 ? badge('bad', 'no access token') : badge('warn', 'starting')
  if (circuit === 'open') return badge('bad', 'unreachable')
  return pauseMs > 0 ? badge('warn', 'paused') : badge('good', 'healthy')
}

function connectionIn({ circuit, pauseMs, waitingForPause }: ConnectionState): string {
  if (circuit === 'open') return badge('bad', 'unreachable: one probe at a time')
  if (pauseMs > 0) {
    return badge('warn', `paused by service protection limits for ${duration(pauseMs)}, ${waitingForPause} waiting`)
  }
  return 'healthy'
}

/** The reason for the concurrency limit, in the words of the status page. */
const LIMIT_REASONS: Readonly<Record<LimitReason, string>> = {
  ceiling: 'the highest that the settings allow',
  hint: 'the number that Dynamics suggests',
  refused: 'Dynamics refused more',
  'higher-is-better': 'more got more done',
  'higher-is-no-better': 'more only made responses slower',
  'lower-is-as-good': 'fewer got as much done',
  'lower-is-worse': 'fewer got less done',
}

function slotsIn({ running, limit, limitReason, waiting, waitingInBackground, share }: ConnectionState): string {
  const each = share === undefined ? '' : `; ${share} for each caller or user while others wait`
  const background = waitingInBackground === 0 ? '' : `, ${waitingInBackground} of them in the background`
  return `${running} of ${limit} slots (${LIMIT_REASONS[limitReason]}), ${waiting} waiting${background}${each}`
}

const LIMIT_NAMES: Readonly<Record<Limit, string>> = {
  count: 'number of requests',
  time: 'execution time',
  concurrency: 'concurrent requests',
  other: 'not named',
}

function preloadIn(state: PreloadState): string {
  if (state.status === 'off') return badge('warn', `off, users are looked up one by one: ${escape(state.reason)}`)
  return state.status === 'ready' ? 'all users are in memory' : 'reading all users'
}

function limitsIn(limits: ReadonlyMap<Limit, number>): string {
  const hit = [...limits].map(([limit, count]) => badge('warn', `${count}× ${LIMIT_NAMES[limit]}`))
  return hit.length === 0 ? 'none in the last 5 minutes' : `${hit.join(' ')} in the last 5 minutes`
}

function leftIn({ requests, seconds }: NonNullable<ConnectionState['rates']>): string {
  return [
    ...(requests === undefined ? [] : [`${requests.toLocaleString('en')} requests`]),
    ...(seconds === undefined ? [] : [`${seconds.toLocaleString('en')} s of execution`]),
  ].join(', ')
}

function replicasIn({ disconnectedReason, replicas }: SharingStatus): string {
  if (disconnectedReason === undefined) return `${replicas} connected through Redis`
  return badge('warn', `alone: Redis cannot be used (${escape(disconnectedReason)})`)
}

const DAY_MS = 86_400_000

/** The days that a credential has left, where that is known. The rules of deploy/monitoring warn at the same times. */
function endIn(ends: number | undefined, now: number): string {
  if (ends === undefined) return ''
  const days = Math.floor((ends - now) / DAY_MS)
  const words =
    ends < now ? 'expired' : days === 0 ? 'less than a day left' : `${days} day${days === 1 ? '' : 's'} left`
  return `, ${days >= 30 ? words : badge(days >= 7 ? 'warn' : 'bad', words)}`
}

function faultIn({ at, explanation: { what, why, todo } }: NonNullable<RecentActivity['fault']>, now: number): string {
  return (
    `<div class="fault"><p><b>Last fault, ${duration(now - at)} ago:</b> ${escape(what)}</p>` +
    `<p>${escape(why)}</p><p><b>The fix:</b> ${escape(todo)}</p></div>`
  )
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
