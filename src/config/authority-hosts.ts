/** Whether `hostname` is one of Microsoft's own authorities, in any cloud. */
export function isMicrosoftsAuthority(hostname: string): boolean {
  return /(^|\.)(microsoftonline\.(com|us)|microsoftonline\.cn|chinacloudapi\.cn|windows\.net)$/.test(hostname)
}
