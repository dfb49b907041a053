import type { Operation, Reply } from '../http/operation.ts'
import { splitTarget, queryOptions } from './address.ts'
import type { Environment } from './environment.ts'
import { DataverseError, noMethod } from './errors.ts'
import { typeNamed } from './schema.ts'

/** Serves `/Image/download.aspx?Entity=account&Attribute=entityimage&Id=…`, the target of `entityimage_url`. */
export function imageOf({ store }: Environment, operation: Operation): Reply {
  if (operation.method !== 'GET') throw noMethod(operation.method)
  const options = queryOptions(splitTarget(operation.target).query)
  const type = typeNamed(options.get('Entity') ?? '')
  const column = options.get('Attribute') ?? ''
  const row = type && store.table(type.set).rows.get((options.get('Id') ?? '').toLowerCase())
  const image = type?.columns[column]?.type === 'image' ? row?.[column] : undefined
  if (typeof image !== 'string') throw new DataverseError(404, '0x80040217', 'The image does not exist.')
  return {
    status: 200,
    headers: [
      ['Content-Type', 'image/png'],
      ['Cache-Control', 'private, max-age=31536000'],
    ],
    body: Buffer.from(image, 'base64'),
  }
}

/** The relative URL of a row's image, the value of `entityimage_url`. */
export function imageAddress(entity: string, id: string, timestamp: bigint): string {
  return `/Image/download.aspx?Entity=${entity}&Attribute=entityimage&Id=${id}&Timestamp=${timestamp}`
}
