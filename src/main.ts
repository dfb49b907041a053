#!/usr/bin/env node
import { guardProcess } from './commands/serve/process-guard.ts'

guardProcess()

const { main } = await import('./commands/command-line.ts')
process.exitCode = await main(process.argv.slice(2))
