import { fetch, type RequestInit, type Response } from 'undici'

import { type Emulator, type EmulatorOptions, startEmulator } from '../../emulator/emulator.ts'
import type { Test } from './tap-test.ts'

/** Sends a request to a path and query below the API root, or to an absolute URL, and reads its body. */
export type Call = (target: string, init?: RequestInit) => Promise<CallResult>

/** A response with its body as text and, if it is JSON, parsed. */
export interface CallResult {
  readonly status: number
  readonly headers: Response['headers']
  readonly text: string
  // Typed loosely, as a client in JavaScript sees it.
  readonly json: Json
}

/** JSON with properties that tests read without checks. */
export interface Json {
  readonly [name: string]: Json
  readonly [index: number]: Json
}

/** The API root of the emulated environment. */
export const root = 'https://contoso.crm4.dynamics.com/api/data/v9.2/'

/** An emulator that is closed with the test, and a client with a token. */
export async function emulatorFor(t: Test, options?: EmulatorOptions): Promise<{ emulator: Emulator; call: Call }> {
  const emulator = await startEmulator(options)
  t.teardown(() => emulator.close())
  return { emulator, call: caller(emulator, { authorization: `Bearer ${emulator.token()}` }) }
}

/** A client of the emulator that sends `headers` with every request. */
export function caller(emulator: Emulator, headers: Readonly<Record<string, string>>): Call {
  return async (target, init = {}) => {
    const url = /^https?:/.test(target) ? target : root + target
    const type: Record<string, string> = typeof init.body === 'string' ? { 'content-type': 'application/json' } : {}
    const given = init.headers as Record<string, string> | undefined
    const response = await fetch(url, {
      ...init,
      dispatcher: emulator.dispatcher,
      headers: { ...headers, ...type, ...given },
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== ''
    return { status: response.status, headers: response.headers, text, json: isJson ? (JSON.parse(text) as Json) : {} }
  }
}

/** The id of the user with an e-mail address. */
export function userId(emulator: Emulator, address: string): string {
  return String(emulator.rows('systemusers').find((row) => row['internalemailaddress'] === address)?.['systemuserid'])
}

/** The Entra object id of the user with an e-mail address. */
export function objectId(emulator: Emulator, address: string): string {
  return String(
    emulator.rows('systemusers').find((row) => row['internalemailaddress'] === address)?.[
      'azureactivedirectoryobjectid'
    ],
  )
}
