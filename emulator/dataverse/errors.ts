/** An error of Dataverse: a status, a hexadecimal code and a message. */
export class DataverseError extends Error {
  readonly status: number
  readonly code: string
  readonly headers: readonly (readonly [string, string])[]

  constructor(status: number, code: string, message: string, headers: readonly (readonly [string, string])[] = []) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** 400 for a query or an address that cannot be parsed. */
export function badQuery(message: string): DataverseError {
  return new DataverseError(400, '0x80060888', message)
}

/** 400 for a body that cannot be parsed; `entity` if it is known. */
export function badPayload(message: string, entity = ''): DataverseError {
  return new DataverseError(
    400,
    '0x80048d19',
    `Error identified in Payload provided by the user for Entity :'${entity}', For more information on this error ` +
      'please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  ' +
      `InnerException : ${message}`,
  )
}

/** 404 for an entity set or property that does not exist. */
export function noSegment(segment: string): DataverseError {
  return new DataverseError(404, '0x8006088a', `Resource not found for the segment '${segment}'.`)
}

/** 404 for a row that does not exist. */
export function noRow(entity: string, id: string): DataverseError {
  return new DataverseError(404, '0x80040217', `${entity} With Id = ${id} Does Not Exist`)
}

/** 405 for a method that the resource does not support. */
export function noMethod(method: string): DataverseError {
  return new DataverseError(405, '0x80060888', `The requested resource does not support http method '${method}'.`)
}
