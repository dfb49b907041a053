import type { Explanation } from './explanation.ts'

const passing: Explanation = {
  what: 'Entra has a temporary problem.',
  why: 'The error is one that Microsoft calls transient.',
  todo: 'Nothing: the gateway retries by itself. If it persists, look at status.cloud.microsoft.',
}

/** AADSTS numbers of temporary failures of Entra and of throttling. */
export const TRANSIENT: Readonly<Record<number, Explanation>> = {
  90006: passing,
  90024: passing,
  90033: passing,
  50033: passing,
  90055: {
    what: 'Entra limits how often this tenant may ask.',
    why: 'There are too many requests from the tenant at the moment.',
    todo: 'Nothing: the gateway retries by itself, more slowly.',
  },
  50196: {
    what: 'Entra was asked for tokens far too often.',
    why: 'Many gateways start again and again, or something else uses this app registration in a loop.',
    todo:
      'Wait a few minutes; make sure that no gateway restarts in a loop, ' +
      'and give each application a registration of its own.',
  },
}
