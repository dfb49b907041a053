/** The most common names of this machine. */
export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Whether `host`, from a URL or a `Host` header, is certainly this machine: `localhost`, an address of 127.0.0.0/8 in
 * plain form, or `[::1]`.
 *
 * Other spellings of these addresses do not count, because servers and browsers disagree about them. Nor do names below
 * `.localhost`: browsers resolve them to this machine, but other programs ask a name server.
 */
export function isLoopbackHost(host: string): boolean {
  return host === '[::1]' || /^localhost$/i.test(host) || IPV4.test(host)
}

/**
 * Whether `address`, the remote address of a connection, belongs to this machine. On a dual-stack socket, IPv4
 * addresses start with `::ffff:`.
 */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || IPV4.test(address.replace(/^::ffff:/i, ''))
}

const IPV4 = /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/
