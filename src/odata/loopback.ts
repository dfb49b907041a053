/** How this machine is called most often: names of one and the same. */
export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

/**
 * Whether `host`, as a URL or a `Host` header has it, surely is this machine: `localhost`, an address of 127.0.0.0/8 in
 * plain form, or `[::1]`.
 *
 * Other spellings of these addresses do not count: servers and browsers disagree about them. Nor do names below
 * `.localhost`: browsers resolve them to this machine, but other programs ask a name server.
 */
export function isLoopbackHost(host: string): boolean {
  return host === '[::1]' || /^localhost$/i.test(host) || IPV4.test(host)
}

/**
 * Whether `address`, as the system writes the end of a connection, is of this machine; IPv4 on a socket for both
 * versions begins with `::ffff:`.
 */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || IPV4.test(address.replace(/^::ffff:/i, ''))
}

const IPV4 = /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/
