import { network, publicUrl } from '../addresses.ts'
import { list, optional } from '../values.ts'

/** The gateway's own URL, as links show it. */
export const ownUrl = {
  publicUrl: optional(
    {
      description: "The gateway's own URL in links, when callers reach it through another proxy.",
      env: 'PUBLIC_URL',
      hint: 'a URL such as https://dynamics.contoso.com',
    },
    publicUrl,
  ),
  trustedProxies: list(
    {
      description:
        'Addresses or networks of proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed in links.',
      env: 'TRUSTED_PROXIES',
      hint: 'addresses such as 10.0.0.0/8, separated by commas',
    },
    network,
  ),
}
