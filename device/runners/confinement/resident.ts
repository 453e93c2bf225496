import { readFileSync } from 'node:fs'
import { readSmall } from '../small-file.ts'

/** Entry 6 of the auxiliary vector: some small machines have pages of 16 KiB. */
const readPageBytes = (): number => {
  const vector = readFileSync('/proc/self/auxv')
  const isWide = process.arch !== 'arm' && process.arch !== 'ia32'
  for (let at = 0; isWide && at + 16 <= vector.length; at += 16) {
    if (vector.readUInt32LE(at) === 6) return vector.readUInt32LE(at + 8)
  }
  return 4096
}
let pageBytes: number | undefined

/** Of the limit: below this, the simple sum is told. */
const closeToLimit = 0.8

/**
 * The memory of some processes together, and how many of them live; null if none does. It is the sum of what is resident. That counts
 * shared pages once for each, so close to a limit they are asked for their proportional share instead, for which the kernel walks all of their pages.
 */
export const residentOf = (
  pids: readonly number[],
  limitMb: number | undefined,
): { memoryBytes: number; processes: number } | null => {
  // Of a zombie nothing is resident.
  const living = pids.map((pid) => ({ pid, bytes: bytesOf(pid) })).filter(({ bytes }) => bytes > 0)
  if (living.length === 0) return null
  const memoryBytes = living.reduce((sum, { bytes }) => sum + bytes, 0)
  if (living.length === 1 || limitMb === undefined || memoryBytes < limitMb * 1024 * 1024 * closeToLimit) {
    return { memoryBytes, processes: living.length }
  }
  return { memoryBytes: living.reduce((sum, { pid, bytes }) => sum + (shareOf(pid) ?? bytes), 0), processes: living.length }
}

const bytesOf = (pid: number): number => {
  pageBytes ??= readPageBytes()
  return Number(readSmall(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * pageBytes
}

const shareOf = (pid: number): number | undefined => {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readSmall(`/proc/${pid}/smaps_rollup`) ?? '')?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}
