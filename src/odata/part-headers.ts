import { RefusedPart } from './batch-error.ts'
import type { Field } from './header-fields.ts'

/** Where the headers of a part go. */
export interface Destination {
  readonly host: string
  /** Further names, in lower case, that are the gateway's own. */
  readonly dropped: ReadonlySet<string>
  /** Begins the sentence when one is refused: `Part 3 of the batch`. */
  readonly subject: string
}

/**
 * The headers of a part that may go on, in their order.
 *
 * @throws RefusedPart for headers that name the user, override the method or encode the part once more
 */
export function partHeaders(fields: readonly Field[], { host, dropped, subject }: Destination): readonly Field[] {
  return fields.flatMap((field) => {
    const name = field.name.toLowerCase()
    const letters = name.replace(/[^a-z\d]/g, '')
    if (CALLER_IDS.has(letters)) throw new RefusedPart(`${subject} names the user by a caller id header; leave it out.`)
    if (OVERRIDES.has(letters)) throw new RefusedPart(`${subject} overrides its method by a header.`)
    if (letters === 'transferencoding') throw new RefusedPart(`${subject} has a Transfer-Encoding.`)
    if (letters === 'contenttransferencoding' && !/^(?:binary|8bit|7bit)$/i.test(field.value)) {
      throw new RefusedPart(`${subject} has a Content-Transfer-Encoding other than binary.`)
    }
    if (name === 'host') return [{ name: field.name, value: host }]
    if (DROPPED.has(name) || dropped.has(name) || name.includes('_') || name.startsWith('x-forwarded-')) return []
    return [field]
  })
}

const CALLER_IDS: ReadonlySet<string> = new Set(['callerobjectid', 'mscrmcallerid', 'mscrmcallerobjectid'])
const OVERRIDES: ReadonlySet<string> = new Set(['xhttpmethod', 'xhttpmethodoverride', 'xmethodoverride'])

/** Credentials, what concerns one connection only, and a length that need not be right any more. */
const DROPPED: ReadonlySet<string> = new Set([
  'authorization', 'cookie', 'proxy-authorization', 'connection', 'proxy-connection', 'keep-alive', 'te', 'trailer',
  'upgrade', 'expect', 'forwarded', 'content-length',
])
