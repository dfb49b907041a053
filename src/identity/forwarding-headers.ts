import { headerLetters } from '../odata/header-letters.ts'

/**
 * Whether a header describes the original request before a proxy: its address or its host.
 *
 * @param name in any letter case; characters between its letters do not count
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
