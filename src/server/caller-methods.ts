import { METHODS as METHODS_OF_NODE } from 'node:http'

import { METHODS } from '../odata/methods.ts'

/**
 * Whether Node's HTTP parser knows the method QUERY (RFC 10008).
 *
 * @until Node 20.12.2 is no longer supported: its parser does not know QUERY, that of the last Node 20 does
 */
export const KNOWS_QUERY = METHODS_OF_NODE.includes('QUERY')

/** The methods that callers may use: those of the Web API, and QUERY, which is executed as a GET. */
export const CALLER_METHODS: readonly string[] = [...METHODS, ...METHODS_OF_NODE.filter((method) => method === 'QUERY')]

/** The same as the header `Allow` has them. */
export const ALLOW = CALLER_METHODS.join(', ')
