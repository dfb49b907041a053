import { MAX_PRELOADED_USERS } from '../../users/preloaded-users.ts'
import { TRACKED_TABLE } from '../../users/user-pages.ts'
import { ask, explain } from './ask.ts'
import { ok, warning } from './step.ts'
import type { Checking, Outcome, Step } from './step.ts'

/** Whether all users can be read ahead, as `USERS_PRELOAD` asks. Without it they are looked up: no failure. */
export const preloadUsers: Step = {
  name: 'preload',
  run: async (checking) => {
    const definition = await ask(checking, `/${TRACKED_TABLE}`)
    if (definition.body?.['ChangeTrackingEnabled'] === false) {
      return onlyLookups('change tracking is switched off for the table systemuser')
    }
    let users = 0
    let path = '/systemusers?$select=systemuserid'
    for (;;) {
      const response = await ask(checking, path, { prefer: 'odata.track-changes,odata.maxpagesize=5000' })
      const { status, body } = response
      const rows = body?.['value']
      if (status !== 200 || !Array.isArray(rows)) return onlyLookups(explain(response, checking).what)
      users += rows.length
      if (users > MAX_PRELOADED_USERS) return onlyLookups(`there are more than ${MAX_PRELOADED_USERS} users`)
      const next = nextPath(checking, body?.['@odata.nextLink'])
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
function nextPath({ target }: Checking, link: unknown): string | undefined {
  if (typeof link !== 'string') return undefined
  const start = link.indexOf(`${target.url.apiRoot}/`)
  return start === -1 ? undefined : link.slice(start + target.url.apiRoot.length)
}
