/** The content of a file column. */
export interface StoredFile {
  readonly name: string
  readonly mimeType: string
  readonly content: Buffer
}

/** A chunked upload that is not complete yet. */
export interface Upload {
  readonly entitySet: string
  readonly id: string
  readonly column: string
  readonly name: string
  readonly chunks: Buffer[]
}

/** The contents of file columns, by `<entity set>/<id>/<column>`, and the uploads in progress, by token. */
export interface FileStore {
  readonly files: Map<string, StoredFile>
  readonly uploads: Map<string, Upload>
}

/** An empty store. */
export function createFileStore(): FileStore {
  return { files: new Map(), uploads: new Map() }
}
