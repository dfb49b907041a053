// Prints the documentation of the settings from their schema: config/README.md and config/schema.json.
import { writeFileSync } from 'node:fs'

import { settingsAsMarkdown } from '../dist/src/config/documentation.js'
import { settingsAsJsonSchema } from '../dist/src/config/json-schema.js'

const folder = new URL('../config/', import.meta.url)
writeFileSync(new URL('README.md', folder), settingsAsMarkdown())
writeFileSync(new URL('schema.json', folder), `${JSON.stringify(settingsAsJsonSchema(), null, 2)}\n`)
