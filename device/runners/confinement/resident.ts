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
 * The memory of some processes together: the sum of what is resident. That counts shared pages once for each, so close to a limit
 * they are asked for their proportional share instead, which the kernel has to walk all of their pages for.
 */
export const memoryOf = (pids: readonly number[], limitMb: number | undefined): number => {
  const sum = pids.reduce((total, pid) => total + residentOf(pid), 0)
  if (pids.length < 2 || limitMb === undefined || sum < limitMb * 1024 * 1024 * closeToLimit) return sum
  return pids.reduce((total, pid) => total + shareOf(pid), 0)
}

const residentOf = (pid: number): number => {
  pageBytes ??= readPageBytes()
  return Number(readSmall(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * pageBytes
}

const shareOf = (pid: number): number => {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readSmall(`/proc/${pid}/smaps_rollup`) ?? '')?.[1]
  return kilobytes === undefined ? residentOf(pid) : Number(kilobytes) * 1024
}
