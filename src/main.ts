#!/usr/bin/env node
import { endOnBrokenPipe } from './commands/broken-pipe.ts'
import { guardProcess } from './commands/serve/process-guard.ts'

guardProcess()
endOnBrokenPipe()

const { main } = await import('./commands/command-line.ts')
process.exitCode = await main(process.argv.slice(2))
