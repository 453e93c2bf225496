import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { executable } from '../device/runners/new-session.ts'
import { Missing } from './part.ts'

/** When a service was started, on the monotonic clock, and as which process. */
export interface Start {
  atMs: number
  pid: number
}

const recordBytes = 24

/** The number of the machine in the header of an executable. */
const x64 = 62

/**
 * The service whose starts are timed: `witness FILE` appends the time of CLOCK_MONOTONIC and its pid to the file, and then waits for ever.
 * It is 81 bytes of code without a library: `sh -c 'date +%s%N'` takes 2 to 7 ms from its exec to the time that it tells, this one 0.2,
 * so what is measured is the supervisor.
 */
export const writeWitness = (folder: string): string => {
  if (process.arch !== 'x64')
    throw new Missing(`the service whose starts are timed is a program for x64, not for ${process.arch}`)
  const path = join(folder, 'witness')
  writeFileSync(path, executable({ number: x64, code }), { mode: 0o755 })
  return path
}

/** What a service has written into its file. A record is written at once, so none is ever half there. */
export const startsIn = (file: string): Start[] => {
  const bytes = readFileSync(file)
  return Array.from({ length: Math.floor(bytes.length / recordBytes) }, (_, i) => {
    const at = i * recordBytes
    return {
      atMs: Number(bytes.readBigInt64LE(at)) * 1e3 + Number(bytes.readBigInt64LE(at + 8)) / 1e6,
      pid: Number(bytes.readBigInt64LE(at + 16)),
    }
  })
}

export const startCount = (file: string): number =>
  Math.floor((statSync(file, { throwIfNoEntry: false })?.size ?? 0) / recordBytes)

/** The same clock, as this process reads it. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

const code = Buffer.from(
  [
    '488b7c2410 be41040000 ba80010000 b802000000 0f05 89c3', // ebx = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600)
    '4883ec20 b827000000 0f05 4889442410', // the third of its record: getpid()
    'bf01000000 4889e6 b8e4000000 0f05', // the first two: clock_gettime(CLOCK_MONOTONIC, rsp)
    '89df 4889e6 ba18000000 b801000000 0f05', // write(ebx, rsp, 24)
    'b822000000 0f05 ebf7', // pause(), again and again
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
)
