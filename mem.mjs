import http from 'node:http'
import { Agent, Dispatcher } from 'undici'
import { run, agentFor } from './dist/src/commands/serve.js'
import { loadSettings } from './dist/src/config/load.js'
import { createLog } from './dist/src/observe/log.js'
const chunk = Buffer.alloc(65536, 'x')
const up = http.createServer((req, res) => {
  if (req.url.includes('/oauth2/')) { req.resume(); res.setHeader('content-type','application/json'); return res.end(JSON.stringify({access_token:'tok', token_type:'Bearer', expires_in:3599})) }
  let n=0; req.on('data', c=>n+=c.length); req.on('end', ()=>{
    const size = Number(/size=(\d+)/.exec(req.url)?.[1] ?? 0)
    res.setHeader('content-type', req.url.includes('json') ? 'application/json' : 'application/octet-stream'); res.setHeader('x-n', n)
    let sent = 0
    const go = () => { while (sent < size) { sent += chunk.length; if (!res.write(chunk)) return res.once('drain', go) } res.end() }
    go()
  })
}).listen(0, '127.0.0.1', async () => {
  const to = `http://127.0.0.1:${up.address().port}`
  class Map extends Dispatcher { inner = new Agent(); dispatch(o, h) { return this.inner.dispatch({ ...o, origin: to }, h) } async close() {} async destroy() {} }
  const settings = loadSettings({ DYNAMICS_URL:'https://contoso.crm4.dynamics.com', AZURE_TENANT_ID:'11111111-1111-4111-8111-111111111111', AZURE_CLIENT_ID:'11111111-1111-4111-8111-111111111111', AZURE_CLIENT_SECRET:'s', PORT:'8125', LOG_LEVEL: 'error' })
  const log = await createLog(settings)
  const d = new Map()
  await run(settings, log, { reads: d, writes: d, close: async()=>{}, destroy: async()=>{} })
  console.log('ready')
  let max = 0
  setInterval(() => { max = Math.max(max, process.memoryUsage().rss) }, 50).unref()
  process.on('SIGUSR2', () => { console.log('max', (max/2**20).toFixed(1), 'now', (process.memoryUsage().rss/2**20).toFixed(1)); max = 0 })
})
