import { explainConnection } from '../../explanations/connection-errors.ts'
import { errorOf, explainDynamics } from '../../explanations/dynamics-errors.ts'
import type { Explanation } from '../../explanations/explanation.ts'
import { parseJson } from '../../odata/parse-json.ts'
import { isDelegated, StepFailure } from './step.ts'
import type { CheckContext } from './step.ts'

/** A response from Dynamics 365. */
export interface DynamicsResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body, if it is a JSON object. */
  readonly body: Readonly<Record<string, unknown>> | undefined
}

/** The longest wait of `check` for one response. */
const MAX_WAIT_MS = 30_000

/**
 * Gets `path` below the API root from Dynamics 365, with the access token if an earlier step acquired one.
 *
 * @throws StepFailure if no response arrives
 */
export async function get(
  { target, agent, authorization }: CheckContext,
  path: string,
  headers: Record<string, string> = {},
): Promise<DynamicsResponse> {
  const { origin, apiRoot } = target.url
  try {
    const response = await agent.request({
      origin,
      path: `${apiRoot}${path}`,
      method: 'GET',
      signal: AbortSignal.timeout(Math.min(MAX_WAIT_MS, target.requestTimeout)),
      idempotent: true,
      headers: {
        accept: 'application/json',
        'odata-version': '4.0',
        'odata-maxversion': '4.0',
        ...(authorization === undefined ? {} : { authorization }),
        ...headers,
      },
    })
    return { status: response.statusCode, headers: flat(response.headers), body: parse(await response.body.text()) }
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown }
    throw new StepFailure(
      explainConnection({
        host: new URL(origin).host,
        code: name === 'TimeoutError' ? 'TIMEOUT' : String(code),
      }),
    )
  }
}

/** Like {@link get}, but throws a StepFailure for any response other than 200 with a JSON object. */
export async function getJson(
  context: CheckContext,
  path: string,
  headers: Record<string, string> = {},
): Promise<Readonly<Record<string, unknown>>> {
  const response = await get(context, path, headers)
  if (response.status === 200 && response.body !== undefined) return response.body
  throw new StepFailure(explain(response, context, Object.keys(headers).length > 0 ? 'as a user' : undefined))
}

/** Explains an unexpected response. `as a user`: the request asked Dynamics to act as a user. */
export function explain(
  { status, headers, body }: DynamicsResponse,
  context: CheckContext,
  as?: 'as a user',
): Explanation {
  return explainDynamics({
    ...errorOf(status, (name) => headers[name], body),
    impersonated: as !== undefined,
    delegated: isDelegated(context),
  })
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text)
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
