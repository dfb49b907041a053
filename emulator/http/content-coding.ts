import { promisify } from 'node:util'
import { brotliCompress, constants, deflate, gzip } from 'node:zlib'

import { headerOf, type Reply } from './operation.ts'

const compress = {
  gzip: (body: Buffer): Promise<Buffer> => promisify(gzip)(body, { level: 4 }),
  br: (body: Buffer): Promise<Buffer> =>
    promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
  deflate: (body: Buffer): Promise<Buffer> => promisify(deflate)(body),
}

/** The response in a coding that the caller accepts: text only, never an empty body, and none that is encoded already. */
export async function encoded(reply: Reply, acceptEncoding: string | undefined): Promise<Reply> {
  if (headerOf(reply, 'content-encoding') !== undefined) return reply
  const type = headerOf(reply, 'content-type') ?? ''
  if (reply.body === undefined || reply.body.length === 0 || !/json|xml|text|multipart/.test(type)) return reply
  const accepted = new Map(
    acceptEncoding?.split(',').map((each) => {
      const [name = '', quality = '1'] = each.trim().split(/\s*;\s*q=/)
      return [name.toLowerCase(), Number(quality)] as const
    }),
  )
  const coding = (['gzip', 'br', 'deflate'] as const).find((each) => (accepted.get(each) ?? accepted.get('*') ?? 0) > 0)
  if (coding === undefined) return reply
  const body = await compress[coding](Buffer.from(reply.body))
  return { ...reply, headers: [...reply.headers, ['Content-Encoding', coding]], body }
}
