import { statfsSync } from 'node:fs'
import { type Clock, every } from '../base/clock.ts'
import type { Log } from '../base/log.ts'

export interface RoomDeps {
  folder: string
  spoolMb: number
  logMb: number
  clock: Clock
  log: Log
  /** From now on something new is taken, or is not. */
  changed: () => void
}

const mb = 1024 * 1024
/** Spools of tasks take so much of what is free at most. */
const spoolShare = 0.05
const measureMs = 5000
/** Folders for runs are made by the batch, which takes 80 files; logs and the journal need a few. */
const leastFiles = 100

/** How much may be kept on the disk of a device, and whether there is room for anything new. */
export const watchRoom = ({ folder, spoolMb, logMb, clock, log, changed }: RoomDeps) => {
  let free = 0
  let freeFiles = Number.POSITIVE_INFINITY
  let reserve = 0
  let isLow = false

  const measure = (): void => {
    const { bavail, blocks, bsize, files, ffree } = statfsSync(folder)
    free = bavail * bsize
    // Some file systems make as many as they like, and say that there are none.
    freeFiles = files === 0 ? Number.POSITIVE_INFINITY : ffree
    // What the journal and the next change need: a twentieth of a small disk, of a large one no more than 64 MB.
    reserve = Math.min(blocks * bsize * 0.05, 64 * mb)
    const wasLow = isLow
    // Not back and forth at the edge.
    const edge = wasLow ? 1.5 : 1
    isLow = free < edge * reserve || freeFiles < edge * leastFiles
    if (isLow === wasLow) return
    log.warn(
      { free_bytes: free, free_files: freeFiles },
      isLow ? 'the disk is nearly full: nothing new is taken' : 'there is room again',
    )
    changed()
  }
  measure()
  const measuring = every(clock, measureMs, measure)

  return {
    spoolBudget: (): number => Math.min(spoolMb * mb, free * spoolShare),
    /** For the logs of workloads, which take so much now: they leave the reserve alone. */
    logBudget: (taken: number): number => {
      measure()
      return Math.min(logMb * mb, Math.max(0, taken + free - 2 * reserve))
    },
    /** Why nothing new is taken; undefined if it is. */
    refusal: (): string | undefined => {
      if (!isLow) return undefined
      return `disk_full: only ${Math.floor(free / 1024)} KiB${freeFiles < 2 * leastFiles ? ` and ${freeFiles} files` : ''} are free`
    },
    /** Why so many bytes more have no room; undefined if they have. */
    lacks: (bytes: number): string | undefined => {
      measure()
      if (!isLow && free - reserve >= bytes) return undefined
      return `disk_full: it takes ${mebibytes(bytes)}, and only ${mebibytes(Math.max(0, free - reserve))} can be had`
    },
    close: (): void => measuring.cancel(),
  }
}

const mebibytes = (bytes: number): string => `${(bytes / mb).toFixed(1)} MiB`

export type Room = ReturnType<typeof watchRoom>
