import t from 'tap'

import { accountId } from '../../emulator/emulator.ts'
import { type CallResult, type Json, root, emulatorFor } from '../support/started-emulator.ts'

const column = `accounts(${accountId(0)})/sample_file`
const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 256))

t.test('uploads a file in one request, downloads it, and deletes it', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const type = { 'content-type': 'application/octet-stream' }

  const put = await call(`${column}?x-ms-file-name=%C3%9Cbersicht.pdf`, { method: 'PATCH', body: bytes, headers: type })
  const file = await call(`${column}/$value`)

  t.equal(put.status, 204)
  t.equal(file.status, 200)
  t.equal(file.headers.get('x-ms-file-name'), '%C3%9Cbersicht.pdf')
  t.equal(file.headers.get('x-ms-file-size'), '1000')
  t.equal(file.headers.get('mimetype'), 'application/pdf')
  t.match(file.headers.get('content-disposition'), "filename*=UTF-8''%C3%9Cbersicht.pdf")
  t.equal((await call(`accounts(${accountId(0)})?$select=sample_file_name`)).json['sample_file_name'], 'Übersicht.pdf')
  t.equal((await call(column, { method: 'PUT', body: bytes, headers: { ...type, 'x-ms-file-name': 'b' } })).status, 204)
  t.equal((await call(`${column}/$value`)).headers.get('mimetype'), 'application/octet-stream')
  t.equal((await call(column, { method: 'DELETE' })).status, 204)
  t.equal((await call(`${column}/$value`)).status, 404)
  t.same(
    emulator.executed.map(({ method }) => method),
    ['PATCH', 'PUT', 'DELETE'],
  )
})

t.test('serves ranges of a file', async (t) => {
  const { call } = await emulatorFor(t)
  await call(`${column}?x-ms-file-name=a.txt`, {
    method: 'PATCH',
    body: 'abcdefghij',
    headers: { 'content-type': 'application/octet-stream' },
  })
  const range = async (value: string): Promise<unknown[]> => {
    const { status, text, headers } = await call(`${column}/$value`, { headers: { range: value } })
    return status === 206 ? [status, text, headers.get('content-range')] : [status]
  }

  t.same(await range('bytes=0-3'), [206, 'abcd', 'bytes 0-3/10'])
  t.same(await range('bytes=8-99'), [206, 'ij', 'bytes 8-9/10'])
  t.same(await range('bytes=8-'), [206, 'ij', 'bytes 8-9/10'])
  t.same(await range('bytes=-3'), [206, 'hij', 'bytes 7-9/10'])
  for (const bad of ['bytes=10-', 'bytes=-', 'x']) t.same(await range(bad), [416])
  t.match((await call(column)).json, { value: Buffer.from('abcdefghij').toString('base64') })
  const part = await call(column, { headers: { range: 'bytes=0-3' } })
  t.equal(part.headers.get('location'), `${root}${column}?size=full`)
  t.equal(part.headers.get('x-ms-file-size'), '10')
})

t.test('uploads a file in chunks, at an absolute URL', async (t) => {
  const { call } = await emulatorFor(t)
  const start = (headers: Record<string, string> = {}, body?: string): Promise<CallResult> =>
    call(`${column}?x-ms-file-name=big.bin`, {
      method: 'PATCH',
      headers: { 'x-ms-transfer-mode': 'chunked', ...headers },
      ...(body && { body }),
    })
  const session = await start()
  const location = session.headers.get('location') ?? ''
  const chunk = async (range: string, body: Buffer, address = location): Promise<number> =>
    (
      await call(address, {
        method: 'PATCH',
        body,
        headers: { 'content-range': range, 'content-type': 'application/octet-stream' },
      })
    ).status

  t.equal(session.status, 200)
  t.equal(session.text, '')
  t.equal(session.headers.get('x-ms-chunk-size'), '4194304')
  t.ok(location.startsWith(`${root}${column}?sessiontoken=`))
  t.equal((await start({}, 'x')).status, 400)
  t.equal(await chunk('bytes 5-9/1000', bytes.subarray(5, 10)), 400, 'not the next')
  t.equal(await chunk('bytes 0-9/1000', bytes.subarray(0, 9)), 400, 'of another length')
  t.equal(await chunk('x', bytes.subarray(0, 9)), 400)
  t.equal((await call(location, { method: 'PATCH', body: bytes })).status, 400, 'of no range')
  t.equal(await chunk('bytes 0-599/1000', bytes.subarray(0, 600)), 206)
  t.equal(await chunk('bytes 600-999/1000', bytes.subarray(600)), 204)
  t.equal(await chunk('bytes 0-0/1', bytes.subarray(0, 1)), 404, 'the session has ended')
  t.match((await call(column)).json, { value: bytes.toString('base64') })
})

t.test('refuses files without a name, of another type, or by another method', async (t) => {
  const { call } = await emulatorFor(t)

  t.equal((await call(column, { method: 'PATCH', body: bytes })).status, 400)
  t.equal((await call(`${column}?x-ms-file-name=a`, { method: 'PATCH', body: '{}' })).status, 415)
  t.equal((await call(`${column}?x-ms-file-name=a`, { method: 'PATCH', body: bytes })).status, 415)
  t.equal((await call(column, { method: 'POST' })).status, 405)
})

t.test('transfers files in blocks', async (t) => {
  const { emulator, call } = await emulatorFor(t)
  const act = async (name: string, body: unknown): Promise<CallResult> =>
    call(name, { method: 'POST', body: JSON.stringify(body) })
  const Target = { accountid: accountId(1), '@odata.type': 'Microsoft.Dynamics.CRM.account' }
  const place = { Target, FileAttributeName: 'sample_file' }
  const token = async (name: string, body: unknown): Promise<Json | undefined> =>
    (await act(name, body)).json['FileContinuationToken']

  const FileContinuationToken = await token('InitializeFileBlocksUpload', { ...place, FileName: 'a.txt' })
  t.equal((await act('UploadBlock', { BlockId: 'MQ==', BlockData: btoa('Hello '), FileContinuationToken })).status, 204)
  t.equal((await act('UploadBlock', { BlockId: 'Mg==', BlockData: btoa('world'), FileContinuationToken })).status, 204)
  const large = { BlockId: 'Mw==', BlockData: 'A'.repeat(5_592_404), FileContinuationToken }
  t.equal((await act('UploadBlock', large)).status, 204, 'four megabytes')
  const commit = await act('CommitFileBlocksUpload', {
    FileName: 'a.txt',
    MimeType: 'text/plain',
    BlockList: ['MQ==', 'Mg=='],
    FileContinuationToken,
  })
  t.match(commit.json, { FileSizeInBytes: 11 })
  t.equal(
    (await act('CommitFileBlocksUpload', { FileName: 'b', BlockList: ['Mg=='], FileContinuationToken })).status,
    200,
  )
  const download = await act('InitializeFileBlocksDownload', place)
  t.match(download.json, { FileSizeInBytes: 5, FileName: 'b', IsChunkingSupported: true })
  const from = { FileContinuationToken: download.json['FileContinuationToken'] }
  t.match((await act('DownloadBlock', { ...from, Offset: 1, BlockLength: 2 })).json, { Data: btoa('or') })
  t.match((await act('DownloadBlock', from)).json, { Data: btoa('world') })

  for (const [name, body] of [
    ['InitializeFileBlocksUpload', { ...place }],
    ['InitializeFileBlocksUpload', { FileName: 'a', FileAttributeName: 'sample_file' }],
    ['InitializeFileBlocksUpload', { ...place, FileName: 'a', FileAttributeName: 'name' }],
    ['InitializeFileBlocksUpload', { ...place, FileName: 'a', Target: { '@odata.type': 'x' } }],
    ['UploadBlock', { BlockId: 'x', BlockData: 'x', FileContinuationToken: 'x' }],
    ['UploadBlock', { BlockId: 'x', BlockData: 'A'.repeat(6_000_000), FileContinuationToken }],
    ['CommitFileBlocksUpload', { FileName: 'a', BlockList: ['x'], FileContinuationToken }],
    ['CommitFileBlocksUpload', { FileName: 'a', FileContinuationToken }],
    ['DeleteFile', { FileId: 'x' }],
  ] as const)
    t.equal((await act(name, body)).status, 400, name)
  const FileId = emulator.rows('accounts').find((row) => row['accountid'] === accountId(1))?.['sample_file']
  t.equal((await act('DeleteFile', { FileId })).status, 204)
  t.equal((await act('InitializeFileBlocksDownload', place)).status, 404)
  t.equal((await call('UploadBlock')).status, 405)
})
