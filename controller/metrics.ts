import { createCounter, createHistogram, type Family, gauge } from '../base/metrics.ts'
import { terminalTaskStates } from '../schemas/task-states.ts'
import type { Ask } from './asking.ts'
import type { Fleet } from './fleet.ts'
import type { Reading } from './reading/reading.ts'
import type { RunRow } from './store/runs.ts'
import type { TaskRow } from './store/tasks.ts'
import type { Views } from './views.ts'

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const

/** What the controller counts of itself, and what it can be asked for at a scrape. */
export const createMetrics = () => {
  const ended = createCounter(
    'skein_tasks_total',
    'Tasks that have ended since this controller started.',
    terminalTaskStates.map((state) => ({ state })),
  )
  const dispatch = createHistogram(
    'skein_dispatch_seconds',
    'From the submission of a task to its first order to a device.',
    seconds,
  )
  const length = createHistogram('skein_run_seconds', 'From the start of a run on its device to its end.', seconds)
  const commit = createHistogram('skein_commit_seconds', 'How long a commit took, most of it the fsync.', seconds)
  const pieces = createCounter('skein_commit_pieces_total', 'Pieces of work that were committed, many to a commit.')
  const failures = createCounter('skein_commit_failures_total', 'Commits that failed; nothing of them is stored.', [
    { database: 'controller' },
    { database: 'logs' },
  ])
  const asked = createCounter('skein_operations_total', 'Operations that were asked for, by how they were answered.')
  const removed = createCounter('skein_tasks_removed_total', 'Old tasks that retention has removed.', [{}])
  const logBytes = createCounter('skein_log_bytes_total', 'Bytes of output that came from devices.', [{}])

  return {
    /** What a commit has changed. */
    changed: (tasks: ReadonlyMap<string, TaskRow>, runs: ReadonlyMap<string, RunRow>): void => {
      for (const task of tasks.values()) if (task.ended_at !== null) ended.add({ state: task.state })
      for (const run of runs.values()) {
        const task = run.state === 'dispatched' && run.attempt === 1 ? tasks.get(run.task_id) : undefined
        if (task) dispatch.observe(Math.max(0, run.dispatched_at - task.created_at) / 1000)
        if (run.ended_at !== null && run.started_at !== null) length.observe(Math.max(0, run.ended_at - run.started_at) / 1000)
      }
    },
    committed: (ms: number, count: number): void => {
      commit.observe(ms / 1000)
      pieces.add({}, count)
    },
    commitFailed: (database: 'controller' | 'logs'): void => failures.add({ database }),
    removed: (tasks: number): void => removed.add({}, tasks),
    output: (bytes: number): void => logBytes.add({}, bytes),
    /** Counts what is asked. */
    counted:
      (ask: Ask): Ask =>
      async (asker, name, input) => {
        try {
          const outcome = await ask(asker, name, input)
          // Any text may be asked for; only operations that exist become labels.
          const operation = !outcome.ok && outcome.error.code === 'unknown_operation' ? 'unknown' : name
          asked.add({ operation, code: outcome.ok ? 'ok' : outcome.error.code })
          return outcome
        } catch (error) {
          asked.add({ operation: name, code: 'unavailable' })
          throw error
        }
      },
    families: async ({ fleet, views, reading, epoch }: MetricsSources): Promise<Family[]> => {
      const { tasks, queue } = await reading.overview()
      return [
        ended.family(),
        gauge('skein_tasks', 'Tasks that are kept.', tasks),
        gauge('skein_queue_depth', 'Parts of tasks that wait for a device.', queue.depth),
        gauge(
          'skein_queue_oldest_timestamp_seconds',
          'When the oldest of them was submitted; 0 if none waits.',
          (queue.oldest ?? 0) / 1000,
        ),
        gauge('skein_runs_live', 'Runs that occupy a device.', fleet.leases.size),
        gauge('skein_devices', 'Devices that have joined.', views.presence()),
        gauge('skein_controller_epoch', 'The epoch of this controller.', epoch),
        dispatch.family(),
        length.family(),
        commit.family(),
        pieces.family(),
        failures.family(),
        asked.family(),
        removed.family(),
        logBytes.family(),
      ]
    },
  }
}
export type Metrics = ReturnType<typeof createMetrics>

export interface MetricsSources {
  fleet: Fleet
  views: Views
  reading: Reading
  epoch: number
}
