import { spawn } from 'node:child_process'

/** Opens `address` in the browser of this machine. Without a browser the person must open it elsewhere. */
export function openBrowser(address: string, platform: NodeJS.Platform = process.platform): void {
  const [command, ...words] =
    platform === 'darwin' ? ['open'] : platform === 'win32' ? ['rundll32', 'url.dll,FileProtocolHandler'] : ['xdg-open']
  spawn(command!, [...words, address], { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref()
}
