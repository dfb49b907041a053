import { AADSTS } from './aadsts.ts'
import type { Explanation } from './explanation.ts'
import type { FailureFacts } from './failure.ts'

/** What an authority's answer means. Its own texts are never shown: they may echo what was sent. */
export function explainAnswer(facts: FailureFacts): Explanation {
  const { aadsts, status, error, host = 'The authority' } = facts
  if (aadsts !== undefined) {
    const known = AADSTS[aadsts]
    if (known !== undefined) return { ...known, what: `${known.what.slice(0, -1)} (AADSTS${aadsts}).` }
    return {
      what: `Entra refused (AADSTS${aadsts}${error === undefined ? '' : `, ${error}`}).`,
      why: 'The gateway has no explanation of this number.',
      todo: `Look the number up at https://login.microsoftonline.com/error?code=${aadsts}.`,
    }
  }
  const answered = `${host} answered ${status}${error === undefined ? '' : ` (${error})`}`
  if (status === 429) {
    return {
      what: `${answered}: it is asked too often.`,
      why: 'The authority limits requests.',
      todo: 'Nothing: the gateway asks again by itself, more slowly.',
    }
  }
  if (error !== undefined && status !== undefined && status < 500) return explainOAuthError(error, answered)
  if (status !== undefined && status >= 300 && status < 400) {
    return {
      what: `${answered}, a redirect.`,
      why: 'An authority does not redirect token requests; a proxy that wants a sign-in does.',
      todo: 'Mend AZURE_AUTHORITY_HOST or the proxy (HTTPS_PROXY).',
    }
  }
  if (facts.asked === 'metadata' && status !== undefined && status < 500) {
    return {
      what: `${answered} when asked for the authority's metadata.`,
      why: 'There is no authority at this address, or it does not know the tenant.',
      todo: 'Check AZURE_AUTHORITY_HOST and AZURE_TENANT_ID.',
    }
  }
  return {
    what: `${answered}${error === undefined ? ', with no answer that an authority would give' : ''}.`,
    why: 'The authority, or something on the way to it, is unwell.',
    todo: 'Nothing, if it passes: the gateway asks again by itself. Else check AZURE_AUTHORITY_HOST and '
      + 'the proxy (HTTPS_PROXY).',
  }
}

/** Authorities that are not Microsoft's, and managed identities, give OAuth's codes alone. */
function explainOAuthError(error: string, answered: string): Explanation {
  switch (error) {
    case 'invalid_client': case 'unauthorized_client': return {
      what: `${answered}: it does not accept the client id with this credential.`,
      why: 'The client id is unknown there, or the secret or certificate is not the registered one.',
      todo: 'Compare AZURE_CLIENT_ID, and the secret or certificate, with the app registration.',
    }
    case 'invalid_scope': case 'invalid_resource': case 'invalid_target':
      return { ...AADSTS[70011]!, what: `${answered}: it does not accept the scope.` }
    case 'invalid_grant': case 'interaction_required': case 'login_required':
      return { ...AADSTS[700082]!, what: `${answered}: the sign-in is no longer valid.` }
    case 'consent_required': return { ...AADSTS[65001]!, what: `${answered}: somebody has to consent.` }
    default: return {
      what: `${answered}.`,
      why: 'It refuses the request.',
      todo: 'Compare tenant, client id, credential and scope with the app registration.',
    }
  }
}

/** What it means that no answer came. */
export function explainConnection({ host = 'the authority', code = 'unknown' }: FailureFacts): Explanation {
  const what = `No answer came from ${host} (${code}).`
  switch (code) {
    case 'ENOTFOUND': case 'EAI_AGAIN':
      return {
        what, why: 'The name cannot be looked up.',
        todo: 'Check the spelling (DYNAMICS_URL or AZURE_AUTHORITY_HOST), and this machine\'s DNS.',
      }
    case 'ECONNREFUSED': return {
      what,
      why: 'Nothing listens there.',
      todo: 'Check the address (DYNAMICS_URL or AZURE_AUTHORITY_HOST), and firewalls.',
    }
    case 'NOT_HTTPS':
      return {
        what,
        why: 'The authority\'s metadata names an address without TLS.',
        todo: 'Mend the authority: the gateway sends credentials through TLS only.',
      }
    case 'ANSWER_TOO_LARGE':
      return {
        what,
        why: 'What came was no answer of an authority.',
        todo: 'Check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY).',
      }
  }
  if (code === 'PROXY_407') {
    return {
      what,
      why: 'The proxy on the way asks for a name and a password.',
      todo: 'Write them into HTTPS_PROXY: http://name:password@host:port.',
    }
  }
  if (code.startsWith('PROXY_')) {
    return {
      what, why: 'The proxy that HTTPS_PROXY names cannot be reached, or does not let this through.',
      todo: 'Check HTTPS_PROXY and let the proxy pass this host; or name the host in NO_PROXY, '
        + 'if it is reached without a proxy.',
    }
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return {
      what, why: 'Its TLS certificate has ended or has not begun, or the clock of this machine is wrong.',
      todo: 'Compare the clock of this machine with the certificate\'s dates; '
        + 'if the clock is right, whoever runs that host (or the proxy on the way) renews the certificate.',
    }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      what, why: 'Its TLS certificate is for other host names, so this is another server than the address says.',
      todo: 'Check the spelling of the address, this machine\'s DNS, and the proxy (HTTPS_PROXY).',
    }
  }
  if (/^ERR_SSL_|^EPROTO$/.test(code)) {
    return {
      what, why: 'It does not speak TLS 1.2 or newer at this port.',
      todo: 'Check the port in the address; else let that host, or the proxy on the way, speak TLS 1.2 or 1.3.',
    }
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|TLS|SSL/.test(code)) {
    return {
      what,
      why: 'Its TLS certificate is not trusted: a proxy that opens TLS, or a private authority, '
        + 'has a certificate of its own.',
      todo: 'Set NODE_EXTRA_CA_CERTS to a PEM file with the certificate authority of the proxy or authority.',
    }
  }
  return {
    what,
    why: 'A firewall, a proxy or the network does not let it through.',
    todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY.',
  }
}
