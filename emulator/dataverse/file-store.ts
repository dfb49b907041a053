/** What a file column holds. */
export interface StoredFile {
  readonly name: string
  readonly mimeType: string
  readonly content: Buffer
}

/** An upload in chunks that has not ended yet. */
export interface Upload {
  readonly entitySet: string
  readonly id: string
  readonly column: string
  readonly name: string
  readonly chunks: Buffer[]
}

/** The contents of file columns, by `<entity set>/<id>/<column>`, and the uploads that are under way, by token. */
export interface FileStore {
  readonly files: Map<string, StoredFile>
  readonly uploads: Map<string, Upload>
}

/** Nothing stored yet. */
export function createFileStore(): FileStore {
  return { files: new Map(), uploads: new Map() }
}
