import { isUtf8 } from 'node:buffer'
import { writeSync } from 'node:fs'
import { systemChance } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import { runCli } from './cli.ts'
import { exitCodes, usageFailure } from './exit.ts'
import type { Io } from './io.ts'
import { openTyped } from './typed.ts'

/** Calls when a reader has closed its end of the pipe; whoever does not care is not ended by it. */
const onClosed: (() => void)[] = []
let isOutClosed = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    writeSync(2, `skein: Cannot write the output: ${error.message}\n`)
    process.exit(exitCodes.failed)
  }
  isOutClosed = true
  for (const call of onClosed) call()
})
process.stderr.on('error', () => undefined) // there is nobody left to tell

const readStdin = async (maxBytes: number): Promise<string> => {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of process.stdin) {
    const bytes = Buffer.from(part)
    size += bytes.length
    if (size > maxBytes) throw usageFailure(`Cannot read the standard input: it has more than ${maxBytes} bytes`)
    parts.push(bytes)
  }
  const whole = Buffer.concat(parts)
  if (!isUtf8(whole)) throw usageFailure('Cannot read the standard input: it is not UTF-8')
  return whole.toString('utf8')
}

/** What is written in one turn goes out in one call: a flood of lines costs hundreds of times less so. */
const gatherBytes = 256 * 1024
let gathered: Uint8Array[] = []
let gatheredBytes = 0
const writeGathered = (): void => {
  const bytes = gathered
  gathered = []
  gatheredBytes = 0
  if (bytes.length > 0 && !isOutClosed) process.stdout.write(Buffer.concat(bytes))
}

const io: Io = {
  env: process.env,
  out: (bytes) => {
    gathered.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    gatheredBytes += bytes.length
    if (gatheredBytes > gatherBytes) writeGathered()
    else if (gathered.length === 1) setImmediate(writeGathered)
  },
  err: (bytes) => {
    writeGathered()
    process.stderr.write(bytes)
  },
  terminal: process.stdout.isTTY
    ? { columns: process.stdout.columns || 80, colours: process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '' }
    : undefined,
  readStdin,
  openTyped,
  onInterrupt: (call) => process.on('SIGINT', call),
  onOutClosed: (call) => {
    onClosed.push(call)
    if (isOutClosed) call()
  },
  clock: systemClock,
  chance: systemChance,
}

const main = async (): Promise<void> => {
  try {
    process.exitCode = await runCli(io, process.argv.slice(2))
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    writeSync(2, `skein: a fault in Skein itself: ${text}\n`)
    process.exitCode = exitCodes.skein
  }
  writeGathered()
  // A pipe takes what is written as slowly as its reader reads, and nothing of that may be cut off.
  for (const stream of [process.stdout, process.stderr]) await new Promise<void>((resolve) => stream.write('', () => resolve()))
  // A write that failed is reported a turn later.
  setImmediate(() => process.exit())
}

void main()
