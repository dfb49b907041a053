// What is inside the bundle, package by package: for THIRD-PARTY-NOTICES.txt and for scanners (CycloneDX).
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The packages that files of a bundle come from, as folders below the root. */
export function packagesOf(inputs) {
  const folders = inputs
    .map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1])
    .filter((found) => found !== undefined)
  return [...new Set(folders)].sort()
}

/** The licences of packages, as text. */
export function notices(root, folders) {
  return folders
    .map((path) => {
      const { name, version, license } = manifest(root, path)
      const file = readdirSync(join(root, path)).find(
        (entry) => /^licen[cs]e/i.test(entry) && statSync(join(root, path, entry)).isFile(),
      )
      const text = file === undefined ? '' : readFileSync(join(root, path, file), 'utf8').trim()
      return `${name} ${version} (${license})\n\n${text}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/**
 * The bill of materials in the format of CycloneDX 1.6. It has neither date nor serial number: the same code gives the
 * same file.
 *
 * @see https://cyclonedx.org/docs/1.6/json/
 */
export function billOfMaterials(root, folders) {
  const { name, version, license, description } = manifest(root, '.')
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { ...component(name, version, license, 'application'), description } },
    components: folders.map((path) => {
      const { name, version, license } = manifest(root, path)
      const [, algorithm, digest] = /^(sha\d+)-(.+)$/.exec(packages[path]?.integrity ?? '') ?? []
      return {
        ...component(name, version, license, 'library'),
        ...(algorithm === undefined
          ? {}
          : {
              hashes: [
                { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') },
              ],
            }),
      }
    }),
  }
}

function component(name, version, license, type) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return { type, 'bom-ref': purl, name, version, purl, licenses: [{ license: { id: license } }] }
}

function manifest(root, folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
}
