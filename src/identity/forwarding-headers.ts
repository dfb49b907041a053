import { headerLetters } from '../odata/header-letters.ts'

/**
 * Whether a header tells for whom a proxy passes a request on: from which address, or to which host, it was sent first.
 *
 * @param name in any letter case; what stands between its letters does not count
 */
export function isForwardingHeader(name: string): boolean {
  return FORWARDING.test(headerLetters(name))
}

const FORWARDING = new RegExp(
  `^(?:${[
    'forwarded',
    'via',
    'xforwarded.*',
    'xoriginal(?:forwardedfor|host|ur[il])',
    'xrewriteurl',
    'xrealip',
    'x?(?:true|fastly|cluster|azure)?clientip',
    'xazuresocketip',
    'xappengineuserip',
    'xproxyuserip',
    'xenvoyexternaladdress',
    'cf(?:connecting|pseudo)ip(?:v[46])?',
    'cfvisitor',
    'cdnloop',
  ].join('|')})$`,
)
