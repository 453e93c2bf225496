import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { RunChange, RunOrder } from '../schemas/exchange.ts'
import { instant, runIdOf } from '../schemas/ids.ts'
import { isRunOver, type TerminalRunState } from '../schemas/run-states.ts'
import { optionDefaults } from '../schemas/task.ts'
import { isTaskOver, type TerminalTaskState, taskTransition } from '../schemas/task-states.ts'
import { silentAfterMs } from './core/leases.ts'
import { afterRun, worse } from './core/outcome.ts'
import type { Place } from './core/places.ts'
import { applyReport } from './core/reports.ts'
import type { Effects } from './effects.ts'
import type { Fleet, FleetDevice, Lease } from './fleet.ts'
import type { QueueRow } from './store/queue.ts'
import { newRun, type RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf, type TaskRow } from './store/tasks.ts'

export interface ExecutionDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  clock: Clock
  chance: Chance
  heartbeatMs: number
}

/**
 * Carries tasks through their runs: dispatch, what devices report, loss, retry, cancel, the end. Every function here runs inside
 * a transaction and leaves rows, leases and effects that agree.
 */
export const createExecution = ({ store, fleet, effects, clock, chance, heartbeatMs }: ExecutionDeps) => {
  const saveTask = (task: TaskRow): void => {
    store.tasks.update(task)
    effects.taskChanged(task)
  }
  const saveRun = (run: RunRow): void => {
    store.runs.update(run)
    effects.runChanged(run)
    const lease = fleet.leases.get(run.run_id)
    if (lease) lease.run = run
  }

  /** One part of a task has come to its end; with the last part the task ends. */
  const endPart = (task: TaskRow, as: TerminalTaskState, reason: string | null, exitCode: number | null): void => {
    const open = task.open - 1
    const isFanout = task.open > 1 || task.worst !== null
    const worst = worse(task.worst, as)
    if (open > 0) return saveTask({ ...task, open, worst })
    const state = task.cancel_requested_at !== null ? 'cancelled' : isFanout ? worst : as
    saveTask({
      ...task,
      open,
      worst: isFanout ? worst : null,
      state: taskTransition(task.state, { kind: 'end', as: state }),
      reason: isFanout && state !== 'succeeded' && state !== 'cancelled' ? fanoutReason(task, { state: as, reason }) : reason,
      exit_code: isFanout ? null : exitCode,
      ended_at: clock.now(),
    })
  }

  const fanoutReason = (task: TaskRow, last: { state: string; reason: string | null }): string => {
    const runs = store.runs.ofTask(task.task_id).filter((run) => isRunOver(run.state))
    const bad = [...new Map(runs.map((run) => [run.device, run])).values()].filter((run) => run.state !== 'succeeded')
    const named = bad.slice(0, 3).map((run) => `${run.device} ${run.state}${run.reason ? ` (${run.reason})` : ''}`)
    if (bad.length === 0) return last.reason ?? last.state
    return `${bad.length} of its runs did not succeed: ${named.join(', ')}${bad.length > 3 ? ', …' : ''}`
  }

  /** A run has ended: its lease goes, and its task goes on or ends. */
  const afterEnd = (run: RunRow): void => {
    if (run.confirmed !== 0) fleet.release(run)
    const task = store.tasks.get(run.task_id)
    if (!task || isTaskOver(task.state) || !isPartOf(run, task)) return
    const cancelled = task.cancel_requested_at !== null
    const state = run.state as TerminalRunState // callers pass runs that are over
    const next = afterRun(
      { state, reason: run.reason, tries: run.tries },
      bodyOf(task).options,
      cancelled,
      clock.now(),
      chance.random(),
    )
    if (next.kind === 'end') return endPart(task, next.as, cancelled ? task.reason : next.reason, run.exit_code)
    store.queue.add({
      task_id: task.task_id,
      lane: run.lane,
      rank: task.rank,
      tries: run.tries,
      due_at: next.dueAt,
      // What has not even begun is still bound to begin in time.
      expires_at: run.started_at === null ? run.start_before : null,
    })
    store.runs.note({ task_id: task.task_id, run_id: run.run_id, at: clock.now(), state: 'queued', reason: next.reason })
    const others =
      task.open > 1 &&
      [...fleet.leases.values()].some((lease) => lease.run.task_id === task.task_id && !isRunOver(lease.run.state))
    saveTask({ ...task, state: others ? task.state : taskTransition(task.state, { kind: 'retry' }), reason: next.reason })
  }

  /** Ends a run by the controller's own judgement. */
  const end = (run: RunRow, state: TerminalRunState, reason: string, confirmed: number | null): void => {
    if (isRunOver(run.state)) return
    const ended: RunRow = { ...run, state, reason, confirmed, ended_at: clock.now() }
    saveRun(ended)
    afterEnd(ended)
  }

  const orderOf = (run: RunRow, task: TaskRow): RunOrder => {
    const body = bodyOf(task)
    const { lost_after_seconds = optionDefaults.lost_after_seconds, on_lost } = body.options
    const silentMs = clock.mono() - (fleet.leases.get(run.run_id)?.namedAtMono ?? clock.mono())
    return {
      run: run.run_id,
      task: task.task_id,
      attempt: run.attempt,
      payload: body.payload,
      options: body.options,
      ...(run.start_before !== null ? { start_before: instant(run.start_before) } : {}),
      ...(on_lost === 'stop'
        ? { given_up_after_seconds: silentAfterMs(heartbeatMs) / 1000 + lost_after_seconds, silent_seconds: silentMs / 1000 }
        : {}),
    }
  }

  /** Begins the newest attempt of a task, which is stored already as dispatched to this device. */
  const startRun = (task: TaskRow, part: Pick<QueueRow, 'lane' | 'tries' | 'expires_at'>, device: FleetDevice): void => {
    const run = newRun({
      run_id: runIdOf(task.task_id, task.attempt),
      task_id: task.task_id,
      attempt: task.attempt,
      device: device.row.name,
      journal: device.row.journal,
      lane: part.lane,
      tries: part.tries + 1,
      dispatched_at: clock.now(),
      start_before: part.expires_at,
    })
    store.runs.insert(run)
    effects.runChanged(run)
    effects.taskChanged(task)
    fleet.hold(run, bodyOf(task).options)
    effects.order(run.device, orderOf(run, task))
  }

  return {
    endPart,
    end,
    startRun,
    renew: (lease: Lease): void => {
      lease.namedAtMono = clock.mono()
    },

    dispatch: (waiting: QueueRow, device: FleetDevice): void => {
      store.queue.remove(waiting.id)
      fleet.addWaiting(waiting.lane, -1)
      const task = store.tasks.get(waiting.task_id)
      if (!task || isTaskOver(task.state)) return
      const dispatched = { ...task, ...onDevice(task, device) }
      store.tasks.update(dispatched)
      startRun(dispatched, waiting, device)
    },

    /** A task that waits here runs on a device already, as a restored database must be told: it does not wait any more. Gives what it was a part of. */
    takePlace: (task: TaskRow, place: Place<QueueRow, RunRow>, device: string, attempt: number): Part | undefined => {
      switch (place.kind) {
        case 'beside':
          return undefined
        case 'waiting':
          store.queue.remove(place.row.id)
          if (place.row.due_at === null) fleet.addWaiting(place.row.lane, -1)
          break
        case 'after': {
          // Without what follows an end: its part of the task goes on with the newer run.
          const ended: RunRow = { ...place.run, state: 'lost', reason: 'superseded', ended_at: clock.now() }
          saveRun(ended)
          fleet.release(ended)
        }
      }
      const isNewest = attempt > task.attempt
      saveTask({
        ...task,
        attempt: isNewest ? attempt : task.attempt,
        device: isNewest ? device : task.device,
        reason: null,
        state: taskTransition(task.state, { kind: 'dispatch' }),
      })
      return place.kind === 'waiting' ? place.row : place.run
    },

    /** No run of this task gets this number any more. */
    spend: (task: TaskRow, attempt: number): void => {
      if (!isTaskOver(task.state) && attempt > task.attempt) saveTask({ ...task, attempt })
    },

    /** Sends a run once more, under the same id: the device answers with what it knows. */
    orderAgain: (run: RunRow): void => {
      const task = store.tasks.get(run.task_id)
      if (task) effects.order(run.device, orderOf(run, task))
    },

    /** Takes in what a device says of one run. */
    report: (device: string, change: RunChange): void => {
      const lease = fleet.leases.get(change.run)
      const run = lease?.run ?? store.runs.get(change.run)
      if (!run || run.device !== device) return
      if (lease) lease.namedAtMono = clock.mono()
      const wasOver = isRunOver(run.state)
      const wasUnknown = run.state === 'unknown'
      const changed = applyReport(run, change, clock.now())
      if (!changed) return
      const superseded = wasOver && run.state === 'lost' && (store.tasks.get(run.task_id)?.attempt ?? run.attempt) > run.attempt
      const stored =
        superseded && changed.late
          ? { ...changed, late: JSON.stringify({ ...JSON.parse(changed.late), reason: 'superseded' }) }
          : changed
      saveRun(stored)
      if (wasUnknown && !wasOver)
        store.runs.note({ task_id: run.task_id, run_id: run.run_id, at: clock.now(), state: stored.state, reason: 'heard again' })
      if (wasOver) {
        if (stored.confirmed !== 0) fleet.release(stored)
        return
      }
      if (isRunOver(stored.state)) return afterEnd(stored)
      if (stored.state === 'running') {
        const task = store.tasks.get(run.task_id)
        if (task && task.started_at === null && isPartOf(stored, task)) saveTask({ ...task, started_at: stored.started_at })
      }
    },

    /** The device has been silent for too long to be sure of the run. */
    doubt: (run: RunRow): void => {
      const unknown: RunRow = { ...run, state: 'unknown', reason: 'device silent' }
      store.runs.note({ task_id: run.task_id, run_id: run.run_id, at: clock.now(), state: 'unknown', reason: 'device silent' })
      saveRun(unknown)
    },

    /** The device has been heard of again, without a change of the run itself. */
    trust: (run: RunRow): void => {
      if (run.state !== 'unknown') return
      const state = run.started_at !== null ? 'running' : run.accepted_at !== null ? 'accepted' : 'dispatched'
      store.runs.note({ task_id: run.task_id, run_id: run.run_id, at: clock.now(), state, reason: 'heard again' })
      saveRun({ ...run, state, reason: null })
    },

    cancel: (task: TaskRow, by: string): TaskRow => {
      const reason = `cancelled by ${by}`
      let current: TaskRow = { ...task, reason, cancel_requested_at: task.cancel_requested_at ?? clock.now() }
      saveTask(current)
      for (const waiting of store.queue.ofTask(task.task_id)) {
        store.queue.remove(waiting.id)
        if (waiting.due_at === null) fleet.addWaiting(waiting.lane, -1)
        endPart(current, 'cancelled', reason, null)
        current = store.tasks.get(task.task_id) ?? current
      }
      for (const run of store.runs.ofTask(task.task_id)) {
        if (isRunOver(run.state) || run.cancel_requested_at !== null) continue
        saveRun({ ...run, cancel_requested_at: clock.now() })
        const lease = fleet.leases.get(run.run_id)
        if (lease) Object.assign(lease, { cancelAtMono: clock.mono(), sendAtMono: clock.mono() + 10_000, sends: 1 })
        effects.cancel(run.device, run.run_id)
      }
      return store.tasks.get(task.task_id) ?? current
    },

    /** What must have started by now and has not. */
    /** Ends what waits for a device that will not come. */
    drop: (waiting: QueueRow, reason: string): void => {
      store.queue.remove(waiting.id)
      if (waiting.due_at === null) fleet.addWaiting(waiting.lane, -1)
      const task = store.tasks.get(waiting.task_id)
      if (task && !isTaskOver(task.state)) endPart(task, 'rejected', reason, null)
    },
    expire: (waiting: QueueRow): void => {
      store.queue.remove(waiting.id)
      if (waiting.due_at === null) fleet.addWaiting(waiting.lane, -1)
      const task = store.tasks.get(waiting.task_id)
      if (task && !isTaskOver(task.state)) endPart(task, 'expired', 'not started within start_within_seconds', null)
    },
  }
}
export type Execution = ReturnType<typeof createExecution>

/** What of a task waits or runs for itself: where, and how often it was tried. */
type Part = Pick<QueueRow, 'lane' | 'tries'>

/** What is for one device is moved by the runs of that device alone: of an adopted task others may have some too. */
const isPartOf = (run: RunRow, task: TaskRow): boolean => task.target_device === null || task.target_device === run.device

/** What of a task changes when a device gets it. */
export const onDevice = (task: Pick<TaskRow, 'attempt' | 'state'>, device: FleetDevice) => ({
  attempt: task.attempt + 1,
  device: device.row.name,
  reason: null,
  state: taskTransition(task.state, { kind: 'dispatch' }),
})
