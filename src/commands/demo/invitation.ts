import type { Settings } from '../../config/schema.ts'
import type { Running } from '../serve/run.ts'

/** What a person tries first: lines to paste, as `settings` want them to be sent. */
export function invitation(
  { address, inspectorLink }: Pick<Running, 'address' | 'inspectorLink'>,
  { targets, callers }: Settings,
  replaced: readonly string[],
): string {
  const [
    {
      name,
      impersonation: { mode, header },
    },
  ] = targets as [Settings['targets'][number]]
  const base = name === undefined ? address : `${address}/${name}`
  const key = callers.some(({ keys }) => keys.length > 0) ? ' -H "X-Api-Key: $KEY"' : ''
  const user = ` -H "${header}: adele.vance@contoso.com"`
  const always = key + (mode === 'required' ? user : '')
  const notes = [
    ...(targets.length === 1 ? [] : [`Targets: ${targets.map((target) => `${address}/${target.name!}`).join(', ')}`]),
    ...replaced.map((called) => `${called} is not a Dataverse environment; the demo emulates one in its place.`),
    ...(key === ''
      ? []
      : [
          'Callers are listed: put the key of one of them into KEY. `dynamics-gateway key` makes a key, ' +
            'and the hash for the file.',
        ]),
    ...(callers.length > 0 && key === '' ? ['Callers are listed: send what makes you known as one of them.'] : []),
  ]
  const lines = [
    `# three accounts; no credentials in sight
  curl${always} "${base}/accounts?\\$select=name,revenue&\\$top=3"`,
    `# the next page: the link leads back through the gateway
  curl${always} -H "Prefer: odata.maxpagesize=2" "${base}/contacts?\\$select=fullname"`,
    `# all rows of all pages as one stream, one row a line
  curl${always} -H "Accept: application/x-ndjson" "${base}/contacts?\\$select=fullname"`,
    ...(mode === 'off'
      ? [
          `# who am I: the application user
  curl${always} ${base}/WhoAmI`,
        ]
      : [
          `# a new account as Adele Vance: see createdby and createdonbehalfby
  curl -X POST "${base}/accounts?\\$select=name,_createdby_value,_createdonbehalfby_value" \\
   ${key}${user} -H "Content-Type: application/json" -H "Prefer: return=representation" \\
    -d '{"name":"Fabrikam Rockets"}'`,
          `# nobody has this address, so nothing is sent
  curl${key} -H "${header}: nobody@contoso.com" ${base}/WhoAmI`,
          mode === 'required'
            ? `# who am I: Adele. Without the header: 403, for IMPERSONATION is required
  curl${key}${user} ${base}/WhoAmI
  curl${key} ${base}/WhoAmI`
            : `# who am I: the application user, and Adele
  curl${key} ${base}/WhoAmI
  curl${key}${user} ${base}/WhoAmI`,
        ]),
  ]
  return `
dynamics-gateway demo: an emulated environment with sample data, at ${address}
No account, no network, nothing is kept. Paste these into another terminal:
${notes.map((note) => `\n  ${note}`).join('')}${notes.length > 0 ? '\n' : ''}
  ${lines.join('\n\n  ')}

See what became of each request, in a browser:

  ${inspectorLink}

Ctrl+C ends it. With your own environment: dynamics-gateway --help

`
}

/** What a person looks at with `--throttle`. */
export function throttled(address: string): string {
  return `Every fourth request meets a limit of three seconds. The gateway waits it out; Server-Timing says how long:

  for i in 1 2 3 4 5; do curl -s -o /dev/null -D - ${address}/WhoAmI | grep -i server-timing; done

`
}
