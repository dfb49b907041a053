import t from 'tap'

import { terminalLine } from '../../src/observe/terminal-line.ts'

const time = new Date(2026, 0, 2, 3, 27, 36).getTime()
const request = { level: 'info', time, id: 'x', method: 'GET', entitySet: 'WhoAmI', ms: 18.7, msg: 'request' }

t.test('a request is one short line', async (t) => {
  t.equal(
    terminalLine({ ...request, status: 403, code: 'GATEWAY_USER_UNKNOWN' }, false),
    '03:27:36 403 GET WhoAmI 19ms USER_UNKNOWN\n',
  )
  t.equal(
    terminalLine({ ...request, target: 'sales', status: 404, dynamicsCode: '0x80040217' }, false),
    '03:27:36 404 GET sales/WhoAmI 19ms 0x80040217\n',
  )
  t.equal(
    terminalLine({ ...request, status: 200, entitySet: '$batch', parts: '4×2xx 1×412' }, false),
    '03:27:36 200 GET $batch 19ms 4×2xx 1×412\n',
  )
  t.equal(
    terminalLine(
      { ...request, status: 502, code: 'GATEWAY_DYNAMICS_UNREACHABLE', causes: ['ECONNREFUSED', 'x'] },
      false,
    ),
    '03:27:36 502 GET WhoAmI 19ms DYNAMICS_UNREACHABLE ECONNREFUSED\n',
  )
})

t.test('its status has the colour of its class', async (t) => {
  const colours = [200, 304, 404, 502].map(
    (status) => /\[(\d+)m\d{3}/.exec(terminalLine({ ...request, status }, true))?.[1],
  )
  t.same(colours, ['32', '36', '33', '31'])
})

t.test('other lines are a sentence with its facts', async (t) => {
  t.equal(
    terminalLine(
      { level: 'info', time, address: 'http://127.0.0.1:8080', on: ['TLS'], none: undefined, msg: 'listening' },
      false,
    ),
    '03:27:36 listening address=http://127.0.0.1:8080 on=["TLS"]\n',
  )
  t.equal(
    terminalLine({ level: 'warn', time, id: 'x', limit: 'two words', msg: 'held' }, false),
    '03:27:36 warn held limit="two words"\n',
  )
  t.match(terminalLine({ level: 'error', time, msg: 'bad' }, true), '\u001b[31merror\u001b[0m bad')
  t.match(terminalLine({ level: 'debug', time, msg: 'so' }, true), 'debug')
})

t.test('control sequences of a terminal are removed', async (t) => {
  const hostile = '\u001b]0;owned\u0007\r\n\u202e\u009b'
  for (const line of [
    { level: 'warn', time, msg: hostile, caller: hostile },
    { ...request, status: 502, code: hostile, causes: [hostile] },
  ]) {
    t.match(terminalLine(line, false), /^[^\p{Cc}\p{Cf}]+\n$/u)
  }
})
