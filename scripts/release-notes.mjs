// Prints what CHANGELOG.md says of one version, for its release on GitHub. `node release-notes.mjs v0.1.0`
// Ends with status 1 when the version is not that of package.json, or CHANGELOG.md says nothing of it.
import { readFileSync } from 'node:fs'

const [tag = ''] = process.argv.slice(2)
const version = tag.replace(/^v/, '')
const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
const section = readFileSync(new URL('../CHANGELOG.md', import.meta.url), 'utf8')
  .split(/^## /m)
  .find((part) => part.startsWith(`${version} `) || part.startsWith(`${version}\n`))
const notes = section?.slice(section.indexOf('\n')).trim()

if (version !== own) fail(`The tag ${tag} is not v${own}, the version of package.json.`)
else if (!notes) fail(`CHANGELOG.md has no section "## ${version} - <date>": rename *Unreleased*.`)
else console.log(notes)

function fail(why) {
  console.error(why)
  process.exitCode = 1
}
