import { fetch, type RequestInit, type Response } from 'undici'

import { type Emulator, type EmulatorOptions, startEmulator } from '../../emulator/emulator.ts'

/** What a test needs to end what it began. */
interface Ending {
  teardown(end: () => unknown): unknown
}

/** Path and query below the API root, or a whole URL, with or without options; the answer has its body read. */
export type Call = (target: string, init?: RequestInit) => Promise<Answered>

/** An answer, its body as text and, when it is JSON, as what it says. */
export interface Answered {
  readonly status: number
  readonly headers: Response['headers']
  readonly text: string
  // The tests look into it as a client would.
  readonly json: Json
}

/** JSON as tests walk through it. */
export interface Json {
  readonly [name: string]: Json
  readonly [index: number]: Json
}

/** The API root of the environment which the emulator takes itself for. */
export const root = 'https://contoso.crm4.dynamics.com/api/data/v9.2/'

/** An emulator that ends with the test, and a client of it that holds a token. */
export async function started(t: Ending, options?: EmulatorOptions): Promise<{ emulator: Emulator; call: Call }> {
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
