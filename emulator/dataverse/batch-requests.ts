import { type Part, readParts } from '../http/multipart.ts'
import type { Operation } from '../http/operation.ts'
import { type Environment, isOwn } from './environment.ts'
import { badPayload, DataverseError } from './errors.ts'

/** Longest URL inside a batch, in characters: twice the limit outside. */
const MAX_URL_LENGTH = 65_536

/** The request inside a part, checked as strictly as Dataverse does. Its host must be one of the environment's. */
export function requestIn(
  environment: Environment,
  outer: Operation,
  part: Part,
): { readonly method: string; readonly target: string; readonly headers: Map<string, string>; readonly body: Buffer } {
  if (!/^application\/http\b/i.test(part.contentType)) {
    throw badPayload('The content type of a part must be application/http.')
  }
  if (!/^binary$/i.test(part.headers.get('content-transfer-encoding') ?? '')) {
    throw badPayload('The Content-Transfer-Encoding of a part must be binary.')
  }
  const { line, headers, body } = part.http(environment.switches.batchLines === 'strict')
  const [, method, url] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(line) ?? []
  if (method === undefined || url === undefined) throw badPayload(`The request line '${line}' is invalid.`)
  if (url.length > MAX_URL_LENGTH) throw badPayload('The URL of a part is too long.')
  const host = headers.get('host')
  if (host !== undefined && !environment.origins.some((origin) => origin.endsWith(`//${host.toLowerCase()}`))) {
    throw badPayload(`The Host header '${host}' of a part is not '${new URL(outer.origin).host}'.`)
  }
  const length = headers.get('content-length')
  if (length !== undefined && Number(length) !== body.length) {
    throw badPayload(`The Content-Length ${length} of a part is not the length of its body, ${body.length}.`)
  }
  if (headers.get('content-type') === undefined && body.length > 0) headers.set('content-type', 'application/json')
  return { method, target: targetIn(environment, outer, url), headers: inherited(outer, headers), body }
}

/** Parts inherit the caller id of the outer request, unless they have one of their own. */
function inherited(outer: Operation, headers: Map<string, string>): Map<string, string> {
  for (const name of ['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid']) {
    const value = outer.headers.get(name)
    const own = ['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid'].some((each) => headers.has(each))
    if (value !== undefined && !own) headers.set(name, value)
  }
  return headers
}

function targetIn(environment: Environment, outer: Operation, url: string): string {
  const root = outer.target.slice(0, outer.target.indexOf('/$batch'))
  if (url.startsWith('$')) return `${root}/${url}`
  if (url.startsWith('/')) return url
  if (!/^[a-z]+:\/\//i.test(url)) return `${root}/${url}`
  if (!isOwn(environment, url)) {
    throw badPayload(
      `Microsoft.OData.ODataException: The URI '${url}' is not valid because it is not based on ` +
        `'${outer.origin}${root}/'.`,
    )
  }
  return url.replace(/^[a-z]+:\/\/[^/?#]+/i, '')
}

/** The parts of a body, split at the boundary given by its content type. */
export function partsOf(environment: Environment, contentType: string, body: Buffer): Part[] {
  const [, quoted, bare] = /^multipart\/mixed\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType) ?? []
  const boundary = quoted ?? bare
  if (boundary === undefined) {
    throw new DataverseError(
      415,
      '0x80060888',
      `The content type '${contentType}' is not a multipart/mixed with a boundary.`,
    )
  }
  return readParts(body, boundary, environment.switches.batchLines === 'strict')
}
