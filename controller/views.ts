import type { Clock } from '../base/clock.ts'
import type { Device, DevicePresence } from '../schemas/device.ts'
import { instant } from '../schemas/ids.ts'
import { presenceOf, staleAfterMs } from '../schemas/presence.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { isRunOver } from '../schemas/run-states.ts'
import type { HistoryEntry, Run, Task } from '../schemas/task.ts'
import { type Candidate, whyWaiting } from './core/waiting.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { NoteRow, RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf, type TaskRow } from './store/tasks.ts'

const time = (ms: number | null): string | null => (ms === null ? null : instant(ms))

/** How rows are shown. */
export const createViews = (store: Store, fleet: Fleet, clock: Clock) => {
  const taskView = (row: TaskRow): Task => {
    // A fan-out of which a part still waits says so too.
    const mayWait = row.state === 'queued' || (row.state === 'active' && row.open > 1)
    return taskAsIs(mayWait ? { ...row, reason: waitingReason(row) } : row)
  }

  const taskAsIs = (row: TaskRow): Task => ({
    task_id: row.task_id,
    state: row.state,
    reason: row.reason,
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

  const candidates = (): (Candidate & { state: DevicePresence })[] =>
    [...fleet.devices.values()].map((device) => ({
      name: device.row.name,
      labels: device.labels,
      state: stateOf(device),
      isReady: device.isReady && !fleet.isSilent(device),
      drained: device.row.drained === 1,
      refuses: device.refuses,
      free: fleet.freeOf(device),
    }))

  const waitingReason = (row: TaskRow): string | null => {
    const first = store.queue.ofTask(row.task_id)[0]
    if (!first) return row.reason
    const why = whyWaiting(fleet.rooms.lane(first.lane), first.due_at, candidates())
    return row.reason && first.tries > 0 ? `${row.reason}; ${why}` : why
  }

  const stateOf = (device: FleetDevice): DevicePresence => presenceOf(device.isConnected, clock.mono() - device.heardAtMono)

  return {
    /** The devices as placement sees them. */
    candidates,
    task: taskView,
    /** With the reason that stands in the row: the queue is not looked at. */
    taskAsIs,
    /** The task with its runs and their history: those after an attempt, as many as fit in a message with it. */
    taskInFull: (row: TaskRow, afterAttempt = 0) => {
      const task = taskView(row)
      const runs = store.runs.ofTask(row.task_id).filter((run) => run.attempt > afterAttempt)
      const notes = store.runs.notes(row.task_id)
      const page: RunRow[] = []
      let room = maxOutputBytes * 0.9 - Buffer.byteLength(JSON.stringify(task))
      for (const run of runs) {
        room -= Buffer.byteLength(JSON.stringify([runView(run), historyOfRun(run, notes)]))
        if (room < 0 && page.length > 0) break
        page.push(run)
      }
      const last = page.at(-1)
      const cursor = last && page.length < runs.length ? String(last.attempt) : null
      return {
        ...task,
        runs: page.map(runView),
        history: historyOf(row, page, notes, afterAttempt === 0, cursor === null),
        cursor,
      }
    },
    stateOf,
    /** How many devices there are in each state. */
    presence: (): Record<DevicePresence, number> => {
      const counts: Record<DevicePresence, number> = { online: 0, stale: 0, offline: 0 }
      for (const device of fleet.devices.values()) counts[stateOf(device)] += 1
      return counts
    },
    device: (device: FleetDevice): Device => {
      const silentMs = clock.mono() - device.heardAtMono
      const state = stateOf(device)
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
  ...(row.agent === null ? {} : { agent: JSON.parse(row.agent) }),
})

interface Moment {
  at: number
  run_id: string | null
  state: string
  reason: string | null
}

/** The life of one run: what the times in its row tell, and the notes of what they cannot tell. */
const historyOfRun = (run: RunRow, notes: readonly NoteRow[]): Moment[] => {
  const moments: Moment[] = []
  const add = (at: number | null, state: string, reason: string | null = null) => {
    if (at !== null) moments.push({ at, run_id: run.run_id, state, reason })
  }
  add(run.dispatched_at, 'dispatched', `to ${run.device}`)
  add(run.accepted_at, 'accepted')
  add(run.started_at, 'running')
  const own = notes.filter((note) => note.run_id === run.run_id)
  for (const note of own) if (note.state !== 'queued') add(note.at, note.state, note.reason)
  if (isRunOver(run.state)) add(run.ended_at, run.state, run.reason)
  // A retry is decided by the end, in the same millisecond.
  for (const note of own) if (note.state === 'queued') add(note.at, note.state, note.reason)
  return moments
}

/** The life of a task in order, with that of some of its runs; its own beginning and end are on the first and the last page. */
const historyOf = (
  task: TaskRow,
  runs: readonly RunRow[],
  notes: readonly NoteRow[],
  isFirst: boolean,
  isLast: boolean,
): HistoryEntry[] => {
  const moments: Moment[] = runs.flatMap((run) => historyOfRun(run, notes))
  if (isFirst) {
    moments.push({ at: task.created_at, run_id: null, state: 'queued', reason: null })
    for (const note of notes)
      if (note.run_id === null) moments.push({ at: note.at, run_id: null, state: note.state, reason: note.reason })
    if (task.cancel_requested_at !== null)
      moments.push({ at: task.cancel_requested_at, run_id: null, state: 'cancel_requested', reason: null })
  }
  moments.sort((a, b) => a.at - b.at || rankOf(a) - rankOf(b))
  if (isLast && task.ended_at !== null) moments.push({ at: task.ended_at, run_id: null, state: task.state, reason: task.reason })
  return moments.map((moment) => ({ ...moment, at: instant(moment.at) }))
}

/** In one millisecond a task is queued before it is dispatched. */
const rankOf = (moment: Moment): number => (moment.run_id === null && moment.state === 'queued' ? 0 : 1)
