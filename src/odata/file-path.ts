/**
 * Whether a path is that of a file, of a part of one, or of an image, whatever its content type:
 * `…/sample_file/$value`, `/Image/download.aspx`.
 *
 * @param path raw, with or without its query, at the gateway or the target
 */
export function isFile(path: string): boolean {
  return FILE.test(path)
}

const FILE = /^(?:\/Image\/|[^?]*\/(?:\$|%24)value(?:$|[?/]))/i
