import { origin } from '../addresses.ts'
import { requiredHeader } from '../header-name.ts'
import { hostName } from '../host-name.ts'
import { flag, list, optional } from '../values.ts'

/** Which requests may reach the gateway: from which networks, for which host names, from which pages. */
export const access = {
  trustNetwork: flag({
    description:
      'Anyone who can reach the port may use the gateway. Needed to listen beyond loopback ' +
      'without listed callers.',
    env: 'TRUST_NETWORK',
    fallback: false,
  }),
  allowedHosts: list(
    {
      description:
        'Further names that callers may use for the gateway. These always work: loopback addresses, the address that the ' +
        'connection came in on, single labels such as `gateway`, and names that end in `.localhost`, `.local`, ' +
        '`.internal`, `.svc`, `.cluster.local` or `.home.arpa`.',
      env: 'ALLOWED_HOSTS',
      hint: 'host names separated by commas',
    },
    hostName,
  ),
  allowedOrigins: list(
    {
      description: 'Origins whose pages may call the gateway from a browser.',
      env: 'ALLOWED_ORIGINS',
      hint: 'origins such as https://app.contoso.com, separated by commas',
    },
    origin,
  ),
  requiredHeader: optional(
    {
      description:
        'A header that every request must carry, which a page in a browser cannot add by itself: ' +
        '`x-gateway: true`, or a name alone.',
      env: 'REQUIRED_HEADER',
      hint: 'a header such as x-gateway: true',
    },
    requiredHeader,
  ),
}
