import { Agent, buildConnector, type Dispatcher } from 'undici'

/**
 * A dispatcher that connects all `hosts` to the emulator, with any scheme, so that real URLs work
 * without certificates. Connections to other hosts are refused.
 */
export function dispatcherTo(origin: string, hosts: ReadonlySet<string>, certificate: string | undefined): Dispatcher {
  const { protocol, hostname, port } = new URL(origin)
  const connector = buildConnector(
    certificate === undefined
      ? {}
      : {
          // The emulator's certificate is not issued for the emulated hosts.
          ca: certificate,
          checkServerIdentity: () => undefined,
        },
  )
  const connect: typeof connector = (asked, callback) => {
    const host = asked.port === '' || asked.port === undefined ? asked.hostname : `${asked.hostname}:${asked.port}`
    if (hosts.has(host.toLowerCase())) {
      connector({ ...asked, protocol, hostname, port, host: `${hostname}:${port}` }, callback)
    } else {
      const refused = new Error(`The emulator does not serve ${asked.hostname}`)
      callback(Object.assign(refused, { code: 'ECONNREFUSED' }), null)
    }
  }
  return new Agent({ connect, maxHeaderSize: 256 * 1024 })
}
