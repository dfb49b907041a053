import type { FailureFacts } from './authority-errors.ts'
import type { Explanation } from './explanation.ts'

/** What it means that no response came. */
export function explainConnection({ host = 'the authority', code = 'unknown' }: FailureFacts): Explanation {
  const what = `No usable response came from ${host} (${code}).`
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        what,
        why: 'The name cannot be looked up.',
        todo: "Check the spelling (DYNAMICS_URL or AZURE_AUTHORITY_HOST), and this machine's DNS.",
      }
    case 'ECONNREFUSED':
      return {
        what,
        why: 'Nothing listens there.',
        todo: 'Check the address (DYNAMICS_URL or AZURE_AUTHORITY_HOST), and firewalls.',
      }
    case 'NOT_HTTPS':
      return {
        what,
        why: "The authority's metadata names an address without TLS.",
        todo: 'Correct the authority: the gateway sends credentials through TLS only.',
      }
    case 'ANSWER_TOO_LARGE':
      return {
        what,
        why: 'The response was not that of an authority.',
        todo: 'Check AZURE_AUTHORITY_HOST and the proxy (HTTPS_PROXY).',
      }
  }
  if (code === 'PROXY_407') {
    return {
      what,
      why: 'The proxy in between requires a name and a password.',
      todo: 'Write them into HTTPS_PROXY: http://name:password@host:port.',
    }
  }
  if (code.startsWith('PROXY_')) {
    return {
      what,
      why: 'The proxy that HTTPS_PROXY names cannot be reached, or does not let this through.',
      todo:
        'Check HTTPS_PROXY and let the proxy pass this host; or name the host in NO_PROXY, ' +
        'if it is reached without a proxy.',
    }
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return {
      what,
      why: 'Its TLS certificate has expired or is not valid yet, or the clock of this machine is wrong.',
      todo:
        "Compare the clock of this machine with the certificate's dates; " +
        'if the clock is right, whoever runs that host (or the proxy in between) must renew the certificate.',
    }
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      what,
      why: 'Its TLS certificate is for other host names, so it may be another server than the one intended.',
      todo: "Check the spelling of the address, this machine's DNS, and the proxy (HTTPS_PROXY).",
    }
  }
  if (/^ERR_SSL_|^EPROTO$/.test(code)) {
    return {
      what,
      why: 'It does not support TLS 1.2 or newer on this port.',
      todo: 'Check the port in the address; otherwise enable TLS 1.2 or 1.3 on that host or the proxy in between.',
    }
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|TLS|SSL/.test(code)) {
    return {
      what,
      why:
        'Its TLS certificate is not trusted: a proxy that opens TLS, or a private authority, ' +
        'has a certificate of its own.',
      todo: 'Set NODE_EXTRA_CA_CERTS to a PEM file with the certificate authority of the proxy or authority.',
    }
  }
  if (/TIMEOUT|^ETIMEDOUT$|UNREACH$/.test(code)) {
    return {
      what,
      why: 'A firewall, a proxy or the network does not let it through, or it is slow.',
      todo: 'Let this machine reach it on port 443, or set HTTPS_PROXY.',
    }
  }
  if (/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/.test(code)) {
    return {
      what,
      why: 'That host, or something in between, closed the connection.',
      todo: 'Try again. If it persists, let firewalls and the proxy (HTTPS_PROXY) pass this host.',
    }
  }
  return {
    what,
    why: 'The gateway has no explanation of this code.',
    todo: 'See whether this machine reaches the host on port 443, and whether HTTPS_PROXY is right.',
  }
}
