import type { Settings } from '../../config/schema.ts'
import { localAddress } from '../../server/listen.ts'
import type { Running } from '../serve/run.ts'

/** The text that `demo` prints at start: commands to paste that fit `settings`. */
export function welcome(
  running: Pick<Running, 'address' | 'inspectorLink'>,
  settings: Settings,
  replaced: readonly string[],
): string {
  const { targets, callers } = settings
  const { origin, base, socket, key, user, always, mode, header } = partsOfCommands(running, settings)
  const curl = `curl${socket}`
  const notes = [
    ...(targets.length === 1 ? [] : [`Targets: ${targets.map((target) => `${origin}/${target.name!}`).join(', ')}`]),
    ...replaced.map(
      (emulatedName) => `${emulatedName} is not a Dataverse environment; the demo emulates one in its place.`,
    ),
    ...(!hasKeys(settings)
      ? []
      : [
          'Callers are listed: set KEY to the key of one of them. `dynamics-gateway key` generates a key, ' +
            'and the hash for the settings file.',
        ]),
    ...(callers.length > 0 && !hasKeys(settings)
      ? ['Callers are listed: send the token or certificate of one of them.']
      : []),
  ]
  const lines = [
    `# three accounts
  ${curl}${always} "${base}/accounts?\\$select=name,revenue&\\$top=3"`,
    `# page by page: the link to the next page leads back through the gateway
  ${curl}${always} -H "Prefer: odata.maxpagesize=2" "${base}/contacts?\\$select=fullname"`,
    `# all rows of all pages as one stream, one row per line
  ${curl}${always} -H "Accept: application/x-ndjson" "${base}/contacts?\\$select=fullname"`,
    ...(mode === 'off'
      ? [
          `# who am I: the application user
  ${curl}${always} ${base}/WhoAmI`,
        ]
      : [
          `# a new account as Adele Vance: see createdby and createdonbehalfby
  ${curl} -X POST "${base}/accounts?\\$select=name,_createdby_value,_createdonbehalfby_value" \\
   ${key}${user} -H "Content-Type: application/json" -H "Prefer: return=representation" \\
    -d '{"name":"Fabrikam Rockets"}'`,
          `# no user has this address, so the request is refused
  ${curl}${key} -H "${header}: nobody@contoso.com" ${base}/WhoAmI`,
          mode === 'required'
            ? `# who am I: Adele. Without the header: 403, because IMPERSONATION is required
  ${curl}${key}${user} ${base}/WhoAmI
  ${curl}${key} ${base}/WhoAmI`
            : `# who am I: the application user, and Adele
  ${curl}${key} ${base}/WhoAmI
  ${curl}${key}${user} ${base}/WhoAmI`,
        ]),
  ]
  return `
dynamics-gateway demo: an emulated environment with sample data, at ${localAddress(running.address)}
No account or network is needed, and no data is stored. Paste these lines into another terminal:
${notes.map((note) => `\n  ${note}`).join('')}${notes.length > 0 ? '\n' : ''}
  ${lines.join('\n\n  ')}

See each request and its result in a browser:

  ${running.inspectorLink}

Ctrl+C stops it. To use your own environment: dynamics-gateway --help

`
}

/** The text that `demo --throttle` prints. */
export function throttleHint(running: Pick<Running, 'address'>, settings: Settings): string {
  const { base, socket, always } = partsOfCommands(running, settings)
  return `Every fourth request meets a limit of three seconds. The gateway waits until it ends; Server-Timing shows how long:

  for i in 1 2 3 4 5; do curl${socket}${always} -s -o /dev/null -D - ${base}/WhoAmI | grep -i server-timing; done

`
}

/** What the printed commands consist of: they call the first target as a caller with a key, if callers have keys. */
function partsOfCommands({ address }: Pick<Running, 'address'>, settings: Settings) {
  const { name, impersonation } = settings.targets[0]!
  const { mode, header } = impersonation
  const isSocket = address.startsWith('unix:')
  const origin = isSocket ? 'http://localhost' : localAddress(address)
  const key = hasKeys(settings) ? ' -H "X-Api-Key: $KEY"' : ''
  const user = ` -H "${header}: adele.vance@contoso.com"`
  return {
    origin,
    base: name === undefined ? origin : `${origin}/${name}`,
    socket: isSocket ? ` --unix-socket ${address.slice('unix:'.length)}` : '',
    key,
    user,
    always: key + (mode === 'required' ? user : ''),
    mode,
    header,
  }
}

function hasKeys({ callers }: Settings): boolean {
  return callers.some(({ keys }) => keys.length > 0)
}
