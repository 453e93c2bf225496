import { statfsSync, statSync } from 'node:fs'
import type { DelayReport, LoopDelay } from '../base/loop-delay.ts'
import type { pathsIn } from '../base/paths.ts'

/** What `status` tells of the process and its files. */
export interface HostFacts {
  uptime_seconds: number
  loop_delay: DelayReport
  sizes: { controller_bytes: number; logs_bytes: number; disk_free_bytes: number }
  /** Files that were found broken at this start, and what was done. */
  damage: string[]
}

export const hostFactsOf = (paths: ReturnType<typeof pathsIn>, delay: LoopDelay, damage: string[]) => {
  const startedAt = performance.now()
  return (): HostFacts => {
    const { bavail, bsize } = statfsSync(paths.controller)
    return {
      uptime_seconds: Math.round((performance.now() - startedAt) / 1000),
      loop_delay: delay.report(),
      sizes: {
        controller_bytes: sizeOf(paths.controllerDb),
        logs_bytes: sizeOf(paths.logDb),
        disk_free_bytes: bavail * bsize,
      },
      damage,
    }
  }
}

/** A controller without files, as simulations have it. */
export const noHost = (): HostFacts => ({
  uptime_seconds: 0,
  loop_delay: { p50_ms: 0, p99_ms: 0, max_ms: 0 },
  sizes: { controller_bytes: 0, logs_bytes: 0, disk_free_bytes: 0 },
  damage: [],
})

/** A database with what has not been moved into it yet. */
const sizeOf = (file: string): number =>
  [file, `${file}-wal`].reduce((sum, one) => sum + (statSync(one, { throwIfNoEntry: false })?.size ?? 0), 0)
