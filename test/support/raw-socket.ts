import { connect } from 'node:net'

/** Sends `head` and `body` unchanged to `url` on one connection, and returns all bytes received until it closed. */
export function rawSocket(
  url: string,
  text: string | Buffer,
  patience = 60_000,
): Promise<{ readonly text: string; readonly reset: boolean }> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.write(text))
    const late = setTimeout(() => socket.destroy(), patience)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
    })
    let reset = false
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reset = error.code === 'ECONNRESET'
    })
    socket.on('close', () => {
      clearTimeout(late)
      resolve({ text: received, reset })
    })
  })
}
