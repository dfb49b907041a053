import { Dispatcher } from 'undici'

import type { Emulator } from '../../../emulator/emulator.ts'
import type { Settings } from '../../config/schema.ts'

/** An emulated Entra and Dynamics for each environment. */
export interface Emulators {
  readonly all: readonly Emulator[]
  /** Sends each request to the emulator of its environment. All other requests are refused. */
  readonly dispatcher: Dispatcher
  readonly close: () => Promise<void>
}

/** Starts an emulator for each environment of `settings`. */
export async function startEmulators({ targets }: Settings): Promise<Emulators> {
  const { startEmulator } = await import('../../../emulator/emulator.ts')
  const emulators = new Map<string, Emulator>()
  for (const {
    url: { origin },
  } of targets) {
    if (!emulators.has(origin)) emulators.set(origin, await startEmulator({ environment: origin }))
  }
  const all = [...emulators.values()]
  const [first] = all as [Emulator]
  return {
    all,
    dispatcher: new RoutingDispatcher(
      (options) => (emulators.get(String(options.origin)) ?? emulators.get(resourceOf(options)) ?? first).dispatcher,
    ),
    close: async () => {
      await Promise.all(all.map((emulator) => emulator.close()))
    },
  }
}

/**
 * Sends each request to the dispatcher that `choose` returns. It is a class, because undici's `compose` changes
 * handlers.
 */
class RoutingDispatcher extends Dispatcher {
  readonly #choose: (options: Dispatcher.DispatchOptions) => Dispatcher

  constructor(choose: (options: Dispatcher.DispatchOptions) => Dispatcher) {
    super()
    this.#choose = choose
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#choose(options).dispatch(options, handler)
  }
}

/** The environment for which a request to Entra asks for a token: each emulator accepts only its own tokens. */
function resourceOf({ body }: Dispatcher.DispatchOptions): string {
  const scope = String(new URLSearchParams(String(body)).get('scope'))
  return URL.canParse(scope) ? new URL(scope).origin : ''
}
