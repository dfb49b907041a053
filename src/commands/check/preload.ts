import { MAX_PRELOADED_USERS } from '../../users/preloaded-users.ts'
import { TRACKED_TABLE } from '../../users/user-pages.ts'
import { get, explain } from './ask.ts'
import { ok, warning } from './step.ts'
import type { CheckContext, Outcome, Step } from './step.ts'

/**
 * Whether all users can be preloaded (`USERS_PRELOAD`). If not, users are looked up one by one, which is not a failure.
 */
export const preloadUsers: Step = {
  name: 'preload',
  run: async (context) => {
    const definition = await get(context, `/${TRACKED_TABLE}`)
    if (definition.body?.['ChangeTrackingEnabled'] === false) {
      return onlyLookups('change tracking is switched off for the table systemuser')
    }
    let users = 0
    let path = '/systemusers?$select=systemuserid'
    for (;;) {
      const response = await get(context, path, { prefer: 'odata.track-changes,odata.maxpagesize=5000' })
      const { status, body } = response
      const rows = body?.['value']
      if (status !== 200 || !Array.isArray(rows)) return onlyLookups(explain(response, context).what)
      users += rows.length
      if (users > MAX_PRELOADED_USERS) return onlyLookups(`there are more than ${MAX_PRELOADED_USERS} users`)
      const next = nextPath(context, body?.['@odata.nextLink'])
      if (next === undefined) {
        return typeof body?.['@odata.deltaLink'] === 'string'
          ? ok(`${users} users can be preloaded`)
          : onlyLookups('Dynamics returned no delta link')
      }
      path = next
    }
  },
}

function onlyLookups(reason: string): Outcome {
  return warning(`users are looked up one by one: ${reason}`)
}

/** The path of the next page, below the API root. */
function nextPath({ target }: CheckContext, link: unknown): string | undefined {
  if (typeof link !== 'string') return undefined
  const start = link.indexOf(`${target.url.apiRoot}/`)
  return start === -1 ? undefined : link.slice(start + target.url.apiRoot.length)
}
