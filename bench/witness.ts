import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Missing } from './part.ts'

/** When a service was started, on the monotonic clock, and as which process. */
export interface Start {
  atMs: number
  pid: number
}

const recordBytes = 24

/**
 * The service whose starts are timed: `witness FILE` appends the time of CLOCK_MONOTONIC and its pid to the file, and then waits for ever.
 * It is 81 bytes of code without a library: `sh -c 'date +%s%N'` takes 2 to 7 ms from its exec to the time that it tells, this one 0.2,
 * so what is measured is the supervisor.
 */
export const writeWitness = (folder: string): string => {
  if (process.arch !== 'x64')
    throw new Missing(`the service whose starts are timed is a program for x64, not for ${process.arch}`)
  const path = join(folder, 'witness')
  writeFileSync(path, executable(), { mode: 0o755 })
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

/** The smallest ELF file that holds the code: a header, one segment, nothing else. */
const executable = (): Buffer => {
  const headers = 64 + 56
  const base = 0x400000
  const file = Buffer.alloc(headers + code.length)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  file.writeUInt16LE(2, 16) // executable
  file.writeUInt16LE(62, 18) // x86-64
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(base + headers), 24) // where it begins
  file.writeBigUInt64LE(64n, 32) // the segments
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  file.writeUInt32LE(1, 64) // one to load,
  file.writeUInt32LE(5, 68) // readable and executable
  file.writeBigUInt64LE(BigInt(base), 80)
  file.writeBigUInt64LE(BigInt(base), 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x1000n, 112)
  file.set(code, headers)
  return file
}
