import type { Clock } from '../base/clock.ts'
import type { Device } from '../schemas/device.ts'
import { instant } from '../schemas/ids.ts'
import { isRunOver } from '../schemas/run-states.ts'
import type { HistoryEntry, Run, Task } from '../schemas/task.ts'
import { presenceOf, staleAfterMs } from './core/presence.ts'
import { whyWaiting } from './core/waiting.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { NoteRow, RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf, type TaskRow } from './store/tasks.ts'

const time = (ms: number | null): string | null => (ms === null ? null : instant(ms))

/** How rows are shown. */
export const createViews = (store: Store, fleet: Fleet, clock: Clock) => {
  const taskView = (row: TaskRow): Task => ({
    task_id: row.task_id,
    state: row.state,
    reason: row.state === 'queued' ? waitingReason(row) : row.reason,
    device: row.device,
    attempt: row.attempt,
    exit_code: row.exit_code,
    requested_by: row.requested_by,
    created_at: instant(row.created_at),
    started_at: time(row.started_at),
    ended_at: time(row.ended_at),
    cancel_requested_at: time(row.cancel_requested_at),
    ...(row.retry_of ? { retry_of: row.retry_of } : {}),
    ...bodyOf(row),
  })

  const waitingReason = (row: TaskRow): string | null => {
    const first = store.queue.ofTask(row.task_id)[0]
    if (!first) return row.reason
    const candidates = [...fleet.devices.values()].map((device) => ({
      name: device.row.name,
      labels: device.labels,
      isReady: device.isReady && !fleet.isSilent(device),
      drained: device.row.drained === 1,
      free: fleet.freeOf(device),
    }))
    const why = whyWaiting(fleet.lane(first.lane), first.due_at, candidates)
    return row.reason && first.tries > 0 ? `${row.reason}; ${why}` : why
  }

  return {
    task: taskView,
    taskInFull: (row: TaskRow) => {
      const runs = store.runs.ofTask(row.task_id)
      return { ...taskView(row), runs: runs.map(runView), history: historyOf(row, runs, store.runs.notes(row.task_id)) }
    },
    device: (device: FleetDevice): Device => {
      const silentMs = clock.mono() - device.heardAtMono
      const state = presenceOf(device.isConnected, silentMs)
      return {
        device: device.row.name,
        state,
        reason: state === 'stale' ? `silent for ${Math.round(silentMs / 1000)} s (stale after ${staleAfterMs / 1000} s)` : null,
        labels: { ...device.labels },
        capacity: device.row.capacity,
        running: device.live.size,
        drained: device.row.drained === 1,
        version: device.row.version,
        last_seen_at: time(device.row.last_seen_at),
        joined_at: instant(device.row.joined_at),
        metrics: device.metrics,
      }
    },
  }
}
export type Views = ReturnType<typeof createViews>

export const runView = (row: RunRow): Run => ({
  run_id: row.run_id,
  task_id: row.task_id,
  attempt: row.attempt,
  device: row.device,
  state: row.state,
  reason: row.reason,
  exit_code: row.exit_code,
  signal: row.signal,
  dispatched_at: instant(row.dispatched_at),
  accepted_at: time(row.accepted_at),
  started_at: time(row.started_at),
  ended_at: time(row.ended_at),
  cancel_requested_at: time(row.cancel_requested_at),
  confirmed: row.confirmed === null ? null : row.confirmed === 1,
  log: row.log === null ? null : JSON.parse(row.log),
  late: row.late === null ? null : JSON.parse(row.late),
})

/** The life of a task in order: what the times in its rows tell, and the notes of what they cannot tell. */
const historyOf = (task: TaskRow, runs: readonly RunRow[], notes: readonly NoteRow[]): HistoryEntry[] => {
  const entries: { at: number; run_id: string | null; state: string; reason: string | null }[] = []
  const add = (at: number | null, run: string | null, state: string, reason: string | null = null) => {
    if (at !== null) entries.push({ at, run_id: run, state, reason })
  }
  add(task.created_at, null, 'queued')
  for (const run of runs) {
    add(run.dispatched_at, run.run_id, 'dispatched', `to ${run.device}`)
    add(run.accepted_at, run.run_id, 'accepted')
    add(run.started_at, run.run_id, 'running')
    if (isRunOver(run.state)) add(run.ended_at, run.run_id, run.state, run.reason)
  }
  for (const note of notes) entries.push({ at: note.at, run_id: note.run_id, state: note.state, reason: note.reason })
  add(task.cancel_requested_at, null, 'cancel_requested')
  entries.sort((a, b) => a.at - b.at)
  if (task.ended_at !== null) add(task.ended_at, null, task.state, task.reason)
  return entries.map((entry) => ({ ...entry, at: instant(entry.at) }))
}
