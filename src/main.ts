#!/usr/bin/env node
import * as module from 'node:module'

import { guardProcess } from './commands/process-guard.ts'

guardProcess()

// Node keeps what it compiled for the next start, where it can (22.1 and newer) and where the gateway's own folder may
// be written. Not in the folder for temporary files that Node would choose: there, others could lay down code for us.
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown }
enableCompileCache?.(process.env['NODE_COMPILE_CACHE'] ?? `${import.meta.dirname}/.compiled`)

const { main } = await import('./commands/command-line.ts')
process.exitCode = await main(process.argv.slice(2))
