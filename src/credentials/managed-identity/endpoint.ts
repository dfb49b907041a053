import { existsSync } from 'node:fs'

import { AuthorityFailure } from '../failure.ts'
import type { ArcPaths } from './arc.ts'

/** The local token endpoint of the platform. */
export interface Endpoint {
  readonly platform: 'App Service or Container Apps' | 'Azure Arc' | 'virtual machine (IMDS)'
  readonly url: string
  readonly version: string
  readonly headers: Record<string, string>
}

/**
 * The endpoint that the platform has put into `env`, or the fixed one of a virtual machine.
 *
 * @throws AuthorityFailure on a platform that is not supported
 */
export function endpointOf(env: Readonly<Record<string, string | undefined>>, arc: ArcPaths): Endpoint {
  const { IDENTITY_ENDPOINT: url, IDENTITY_HEADER: header, IMDS_ENDPOINT: imds } = env
  if (env['IDENTITY_SERVER_THUMBPRINT'] !== undefined || (url === undefined && env['MSI_ENDPOINT'] !== undefined)) {
    throw new AuthorityFailure(
      {
        what: 'The managed identity of this platform is not supported.',
        why: 'Service Fabric, Machine Learning and Cloud Shell have endpoints of their own kind.',
        todo: 'Use a certificate or a federated token instead.',
      },
      true,
    )
  }
  if (url !== undefined && header !== undefined) {
    return {
      platform: 'App Service or Container Apps',
      url,
      version: '2019-08-01',
      headers: { 'x-identity-header': header },
    }
  }
  const metadata = { metadata: 'true' }
  if (url !== undefined && imds !== undefined) {
    return { platform: 'Azure Arc', url, version: '2020-06-01', headers: metadata }
  }
  if (existsSync(arc.agent)) {
    return {
      platform: 'Azure Arc',
      url: 'http://127.0.0.1:40342/metadata/identity/oauth2/token',
      version: '2020-06-01',
      headers: metadata,
    }
  }
  const host = (env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254').replace(/\/+$/, '')
  return {
    platform: 'virtual machine (IMDS)',
    url: `${host}/metadata/identity/oauth2/token`,
    version: '2018-02-01',
    headers: metadata,
  }
}
