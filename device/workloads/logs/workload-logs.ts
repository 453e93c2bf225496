import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import type { LogPlugin } from '../../../base/plugins/read-module.ts'
import type { WorkloadSpec } from '../../../schemas/workload.ts'
import type { Chunk } from '../../logs/encoder.ts'
import type { Segment, Segments } from '../../logs/segments.ts'
import { openFileLog } from './file-log.ts'
import { openPipedLog, type PipedLog } from './piped-log.ts'
import { processLog } from './processed-log.ts'
import type { WorkloadLog } from './workload-log.ts'

export interface WorkloadLogsDeps {
  segments: Segments
  /** Where programs that write their files themselves do so. */
  folder: string
  clock: Clock
  now: () => number
  /** How many bytes the logs of all workloads may take. */
  budget: () => number
  /** There is something new in the log of a workload, or room again. */
  changed: (workload: string) => void
  /** Sends a part of a log to whoever follows it; false while the connection does not keep up. */
  publish: (workload: string, chunk: Chunk) => boolean
  report: (error: unknown) => void
  /** What plugins provide. */
  processor: (name: string) => LogPlugin | undefined
  processorFailed: (workload: string, processor: string, error: unknown) => void
}

type Kind = { kind: 'piped'; log: PipedLog } | { kind: 'file'; log: WorkloadLog }

/** The logs of all workloads of a device: always kept here, as far as the budget goes, and sent only while somebody follows one. */
export const createWorkloadLogs = (deps: WorkloadLogsDeps) => {
  const { segments, clock } = deps
  const open = new Map<string, Kind>()
  /** Until when each is followed, and how far it was sent. */
  const followed = new Map<string, { until: number; sent: number }>()
  let isShrinking = false

  const foundOf = (workload: string): Segment[] => segments.list().filter((one) => one.run === workload)

  const openLog = (name: string, spec: WorkloadSpec): Kind => {
    if (spec.output === 'file') return { kind: 'file', log: openFileLog({ path: fileOf(name), spec, report: deps.report }) }
    const log = openPipedLog({
      ...{ name, spec, segments, clock, now: deps.now, budget: deps.budget, report: deps.report },
      found: foundOf(name),
      changed: () => {
        send(name)
        deps.changed(name)
      },
      grown: shrinkSoon,
    })
    return { kind: 'piped', log: processed(name, spec, log) }
  }

  const processed = (
    workload: string,
    { log: { processors, max_line_bytes: maxLineBytes } }: WorkloadSpec,
    log: PipedLog,
  ): PipedLog =>
    processors === undefined
      ? log
      : processLog(log, {
          ...{ workload, maxLineBytes, mono: clock.mono },
          processors: processors.map((one) => ({ name: one, process: deps.processor(one) })),
          failed: (processor, error) => deps.processorFailed(workload, processor, error),
        })

  const fileOf = (name: string): string => join(deps.folder, `${name}.out`)

  const bytes = (): number => [...open.values()].reduce((sum, { log }) => sum + log.bytes(), 0)

  /** Over the budget the oldest part of the largest log goes. */
  const shrink = (): void => {
    isShrinking = false
    for (let over = bytes() - deps.budget(); over > 0; ) {
      const largest = [...open.values()].map(({ log }) => log).sort((a, b) => b.bytes() - a.bytes())
      let freed = 0
      for (const log of largest) {
        freed = log.dropOldest()
        if (freed > 0) break
      }
      if (freed === 0) return
      over -= freed
    }
  }
  function shrinkSoon(): void {
    if (isShrinking) return
    isShrinking = true
    clock.soon(() => {
      try {
        shrink()
      } catch (error) {
        deps.report(error)
      }
    })
  }

  /** Sends what is new to who follows. Who cannot keep up fetches what was left out, by its numbers. */
  function send(name: string): void {
    const one = followed.get(name)
    const known = open.get(name)
    if (!one || known?.kind !== 'piped') return
    if (clock.mono() > one.until) return void followed.delete(name)
    for (let chunk = known.log.after(one.sent); chunk; chunk = known.log.after(one.sent)) {
      if (!deps.publish(name, chunk)) {
        one.sent = known.log.last()
        return
      }
      one.sent = chunk.last
    }
  }

  return {
    /** The log of a workload; opened anew when what is said of logs has changed. */
    open: (name: string, spec: WorkloadSpec): WorkloadLog => {
      const known = open.get(name)
      if (known) return known.log
      const opened = openLog(name, spec)
      open.set(name, opened)
      return opened.log
    },
    /** Where a program writes by itself. */
    fileOf,
    follow: (name: string, seconds: number): void => {
      const known = open.get(name)
      if (!known) return
      const sent = followed.get(name)?.sent ?? known.log.last()
      followed.set(name, { until: clock.mono() + seconds * 1000, sent })
    },
    /** Its spec has changed: the next to open it reads that. */
    close: (name: string): void => {
      open.get(name)?.log.release()
      open.delete(name)
      segments.seal(name)
    },
    remove: (name: string): void => {
      open.get(name)?.log.release()
      open.delete(name)
      segments.seal(name)
      for (const one of foundOf(name)) segments.remove(one)
    },
    bytes,
    /** To be called every now and then: others may fill the disk, and files that programs write grow by themselves. */
    shrink: shrinkSoon,
    release: (): void => {
      for (const { log } of open.values()) log.release()
      open.clear()
    },
  }
}
export type WorkloadLogs = ReturnType<typeof createWorkloadLogs>
