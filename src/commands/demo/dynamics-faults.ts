import type { Emulator } from '../../../emulator/emulator.ts'

/** Faults of an environment, as named for `--fault`. */
export const DYNAMICS_FAULTS = [
  'no-application-user',
  'no-delegate',
  'no-privilege',
  'ip-firewall',
  'maintenance',
] as const

export type DynamicsFault = (typeof DYNAMICS_FAULTS)[number]

/** Makes an emulated environment behave like a misconfigured or unavailable one. */
export function applyFault({ switches, faults }: Pick<Emulator, 'switches' | 'faults'>, fault: DynamicsFault): void {
  switch (fault) {
    case 'no-application-user':
      switches.applicationUser = 'missing'
      break
    case 'no-delegate':
      switches.mayImpersonate = false
      break
    case 'no-privilege':
      switches.applicationUser = 'without roles'
      break
    case 'ip-firewall':
      faults.dataverse.always({
        kind: 'answer',
        status: 403,
        headers: { 'content-type': 'application/json; odata.metadata=minimal' },
        body: JSON.stringify({ error: { code: '', message: IP_BLOCKED } }),
      })
      break
    case 'maintenance':
      switches.organization = 'disabled'
      break
  }
}

/** The text of Dataverse's IP firewall. */
const IP_BLOCKED =
  'The request you are trying to make is rejected as access to your IP is blocked. Contact your administrator for more information'
