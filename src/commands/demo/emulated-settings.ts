import { environmentUrl, ONLINE_HOST } from '../../config/environment-url.ts'
import { loadSettings } from '../../config/load.ts'
import type { LoadOptions } from '../../config/load.ts'
import { PROXY_VARIABLES } from '../../config/proxies.ts'
import type { Settings } from '../../config/schema.ts'
import { SettingError } from '../../config/setting.ts'
import { settingsPath } from '../../config/settings-file.ts'
import { rethrowUnless } from '../../logging/rethrow-unless.ts'

/** The one app registration that the emulated Entra knows. */
export interface Registration {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
}

/** Settings whose targets can be emulated. */
export interface EmulatedSettings {
  readonly settings: Settings
  /** Targets that are emulated as another environment, because the file describes one that is not Dataverse online. */
  readonly replaced: readonly string[]
}

/** The environment variables, and their sources. */
type Variables = Omit<LoadOptions, 'adapt'> & { readonly env: NodeJS.Dict<string> }

const CONTOSO = 'https://contoso.crm4.dynamics.com'

/** Variables for a real environment, which are ignored for an emulated one. */
const REAL_ENVIRONMENT_VARIABLES = /^(?:AZURE_|DYNAMICS_|DATAVERSE_|CREDENTIAL$)/

/**
 * The settings of `env` and `file` as `serve` reads them, but without credentials and URLs of a real environment. Each
 * target gets the emulated app registration, so that no secret of the file is needed.
 *
 * @throws {SettingsError}
 */
export function emulatedSettings(
  { env, ...from }: Variables,
  file: string | undefined,
  { tenantId, clientId, clientSecret }: Registration,
): EmulatedSettings {
  const replaced: string[] = []
  const rest = Object.fromEntries(
    Object.entries(env).filter(([name]) => !REAL_ENVIRONMENT_VARIABLES.test(name) && !PROXY_VARIABLES.includes(name)),
  )
  const registered = { AZURE_CLIENT_SECRET: clientSecret }
  const single = { DYNAMICS_URL: CONTOSO, AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId }
  const configFile = settingsPath(rest, file)
  const adapt = (target: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
    const { url, name, scope: _scope, authorityHost: _authorityHost, ...same } = target
    const emulable = typeof url !== 'string' || isEmulable(url)
    const emulatedName = typeof name === 'string' ? name : 'contoso'
    if (!emulable) replaced.push(emulatedName)
    return {
      ...same,
      ...(name === undefined ? {} : { name }),
      ...(emulable ? { url } : { url: `https://${emulatedName}.crm4.dynamics.com` }),
      credential: { kind: 'client-secret', tenantId, clientId, secret: { env: 'AZURE_CLIENT_SECRET' } },
    }
  }
  const variables = { ...rest, ...registered, ...(configFile === undefined ? single : {}) }
  const settings = loadSettings(variables, file, { ...from, adapt })
  return { settings, replaced }
}

/** Whether the emulator can emulate the environment at `url`. An invalid URL is reported by the settings. */
function isEmulable(url: string): boolean {
  try {
    const { product, origin, apiRoot } = environmentUrl(url)
    const { hostname, port } = new URL(origin)
    return (
      product === 'dataverse' && port === '' && ONLINE_HOST.test(hostname) && /^\/api\/data\/v9\.[0-2]$/.test(apiRoot)
    )
  } catch (error) {
    rethrowUnless(error, SettingError)
    return true
  }
}
