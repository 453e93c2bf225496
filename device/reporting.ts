import type { Clock, Timer } from '../base/clock.ts'
import { instant } from '../schemas/ids.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import type { Reported } from '../schemas/workload-status.ts'

/** What is true on the device, without what the link knows. `seq` rises with every change, and is in the journal. */
export type ReportedNow = Pick<Reported, 'seq' | 'revision' | 'workloads' | 'releases'>

export interface ReportingDeps {
  clock: Clock
  journal: string
  controllerNow: () => number
  /** Null as long as there is nothing to report. */
  reported: () => ReportedNow | null
  isConnected: () => boolean
  publish: (payload: string) => void
}

/** Changes that come closer together are told together. */
const everyMs = 1000

/** Tells what is true on the device: after each welcome, and when it has changed. */
export const createReporting = (deps: ReportingDeps) => {
  const { clock } = deps
  let timer: Timer | undefined
  let toldMono = Number.NEGATIVE_INFINITY

  const tell = (): void => {
    timer?.cancel()
    timer = undefined
    const now = deps.isConnected() ? deps.reported() : null
    if (!now) return
    toldMono = clock.mono()
    deps.publish(fitting({ journal: deps.journal, at: instant(deps.controllerNow()), ...now }))
  }

  return {
    /** At once. */
    tell,
    welcomed: tell,
    changed: (): void => {
      if (timer) return
      const restMs = toldMono + everyMs - clock.mono()
      if (restMs <= 0) tell()
      else timer = clock.after(restMs, tell)
    },
    close: (): void => {
      timer?.cancel()
      timer = undefined
    },
  }
}

/** As much of it as one message carries: without details, and if even that is too much, without the last workloads. */
export const fitting = (reported: Reported, mostBytes = maxOutputBytes): string => {
  const size = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
  if (size(reported) <= mostBytes) return JSON.stringify(reported)
  let partial: Reported = { ...reported, is_partial: true }
  const leaveOut = [{ last_error: null }, { tags: [] }, { reason: null }]
  for (const nothing of leaveOut) {
    partial = { ...partial, workloads: partial.workloads.map((one) => ({ ...one, ...nothing })) }
    if (size(partial) <= mostBytes) return JSON.stringify(partial)
  }
  let room = mostBytes - size({ ...partial, workloads: [] })
  const end = partial.workloads.findIndex((one) => {
    room -= size(one) + 1
    return room < 0
  })
  return JSON.stringify({ ...partial, workloads: partial.workloads.slice(0, end) })
}
