import { join } from 'node:path'
import type { Chance } from '../../base/chance.ts'
import { type Clock, every, sleep, type Timer } from '../../base/clock.ts'
import type { Db } from '../../base/database.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import { noPlugins, type Plugins } from '../../base/plugins/plugins.ts'
import type { ApprovalChange } from '../../schemas/agent-events.ts'
import type { ProcessPayload } from '../../schemas/process.ts'
import type { WorkloadRun, WorkloadStatus } from '../../schemas/workload-status.ts'
import type { Chunk } from '../logs/encoder.ts'
import type { Segments } from '../logs/segments.ts'
import type { ApprovalAnswer, Runner } from '../runner.ts'
import type { Work } from '../supervisor.ts'
import { createChanges } from './changes.ts'
import type { ClockTrust } from './clock-trust.ts'
import type { LiveWorkload } from './live-workload.ts'
import { createWorkloadLogs } from './logs/workload-logs.ts'
import { blockedBy, type DependencyStatus, startOrder } from './order.ts'
import { missingPlugin } from './plugin-needs.ts'
import { retryInMs } from './retry.ts'
import { createRunning } from './running.ts'
import { createScheduling } from './scheduling.ts'
import { onceOf, type Place, prepareFolder, withinOf } from './start-order.ts'
import { shownRun, statusOf } from './status.ts'
import type { Surroundings } from './surroundings.ts'
import { createTending } from './tending.ts'
import { typedWork } from './typed-work.ts'
import { createWorkloadRows, specOf, type WorkloadRow } from './workload-rows.ts'

export interface WorkloadsDeps {
  device: string
  fleet: string
  /** Below it each workload has a folder of its own. */
  folder: string
  /** Where programs that write their output themselves do so. */
  outputs: string
  db: Db
  commits: GroupCommit
  runner: Runner
  segments: Segments
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  timezone: string
  trust: () => ClockTrust
  surroundings: Surroundings
  /** None, if nothing is said. */
  plugins?: Plugins
  /** What plugins are told of the device. */
  labels?: () => Record<string, string>
  /** How many bytes their logs may take. */
  logBudget: () => number
  /** Sends a part of a log that somebody follows; false while the connection does not keep up. */
  publish: (workload: string, chunk: Chunk) => boolean
  /** What is reported of them has changed. */
  changed: () => void
  /** An agent of a workload waits for somebody's permission, or that has been answered. */
  approval?: (run: string, change: ApprovalChange) => void
  /** Something was written, or said, in the log of a workload. */
  logged?: (workload: string) => void
  /** A workload stands otherwise than before. */
  moved?: (one: LiveWorkload) => void
  /** A run of a workload has ended in failure, by itself. */
  failed?: (one: LiveWorkload) => void
}

/** How often it is looked whether the logs still fit. */
const shrinkMs = 1000
/** By then it is known of each run of an earlier daemon whether it has ended. */
const lookedMs = 1000
/** How long after SIGKILL something may still be there that a shutdown waits for. */
const unkillableMs = 5000

/**
 * Keeps the workloads of a device as their specs say, with or without a controller: starts them in the order of their dependencies,
 * starts again what ends, fires what has a schedule. What it knows is in the journal, so the next daemon goes on from there.
 */
export const createWorkloads = (deps: WorkloadsDeps) => {
  const { clock, commits, log, plugins = noPlugins } = deps
  const rows = createWorkloadRows(deps.db)
  const live = new Map<string, LiveWorkload>()
  let isShuttingDown = false
  let shrinking: Timer | undefined

  const logs = createWorkloadLogs({
    segments: deps.segments,
    folder: deps.outputs,
    clock,
    now: clock.now,
    budget: deps.logBudget,
    changed: (name) => {
      const one = live.get(name)
      if (one) running.hold(one)
      deps.logged?.(name)
    },
    publish: deps.publish,
    report: (error) => log.error({ err: error }, 'cannot write the log of a workload; it waits'),
    processor: plugins.logProcessor,
    processorFailed: (workload, processor, error) =>
      log.warn({ workload, processor, err: error }, 'a log processor has failed; its line is kept as it is'),
  })

  const changed = (one: LiveWorkload): void => {
    deps.moved?.(one)
    deps.changed()
    // Others may wait for it.
    for (const other of live.values())
      if (other !== one && other.spec.depends_on.some((dependency) => dependency.name === one.row.name)) proceed(other)
  }

  const running = createRunning({
    ...{ device: deps.device, rows, commits, runner: deps.runner, clock, chance: deps.chance, log, boot: deps.boot },
    approval: (run, change) => deps.approval?.(run, change),
    started: (one, run) => tending.started(one, run),
    wrote: (one, bytes) => tending.wrote(one, bytes),
    ended: (one) => (one.isRemoved ? forget(one) : proceed(one)),
    changed,
    failed: deps.failed,
  })
  const tending = createTending({
    clock,
    running,
    surroundings: deps.surroundings,
    live,
    healthCheck: plugins.healthCheck,
    changed,
  })
  const scheduling = createScheduling({
    ...{ device: deps.device, timezone: deps.timezone, clock, rows, running, trust: deps.trust, waitsFor, changed },
    lacks: (spec) => missingPlugin(spec, plugins),
  })

  const placeOf = (name: string, file: string | null): Place => ({
    fleet: deps.fleet,
    device: deps.device,
    folder: join(deps.folder, name),
    file,
    output: logs.fileOf(name),
    typed: (spec) =>
      typedWork(plugins, spec, { name, device: deps.device, labels: deps.labels?.() ?? {}, folder: join(deps.folder, name) }),
  })

  const enter = (row: WorkloadRow): LiveWorkload => {
    const spec = specOf(row)
    const one: LiveWorkload = {
      row,
      spec,
      place: placeOf(row.name, row.file),
      log: logs.open(row.name, spec),
      run: null,
      health: spec.health ? 'unknown' : null,
      healthReason: null,
      blockedBy: null,
      waiting: null,
      cause: 'start',
      plan: null,
      decidedTo: 0,
      queue: [],
      nextAt: null,
      looking: null,
      memoryBytes: null,
      isRemoved: false,
      settled: [],
    }
    live.set(row.name, one)
    return one
  }

  const dependencyOf = (name: string): DependencyStatus | undefined => {
    const one = live.get(name)
    if (!one || one.isRemoved) return undefined
    const { row, spec, health } = one
    return { run_mode: spec.run_mode, state: row.state, health, hasSucceeded: row.successes > 0 && row.failures === 0 }
  }

  function waitsFor({ spec }: LiveWorkload): string | null {
    return missingPlugin(spec, plugins) ?? blockedBy(spec, dependencyOf)
  }

  /** Takes the next step of a workload that has no run: starts it, or waits for what it has to wait for. */
  function proceed(one: LiveWorkload): void {
    if (one.run || one.waiting || one.isRemoved || isShuttingDown || one.row.is_wanted === 0) return
    if (one.spec.run_mode === 'schedule') return scheduling.next(one)
    if (isOver(one.row)) return
    const waitMs = retryInMs(one.row, one.spec, deps.boot, clock)
    if (waitMs > 0) {
      one.cause = 'restart'
      one.waiting = clock.after(waitMs, () => {
        one.waiting = null
        one.row = { ...one.row, retry_at: null }
        proceed(one)
      })
      return
    }
    const blocked = waitsFor(one)
    if (blocked !== null) {
      if (one.blockedBy === blocked) return
      one.blockedBy = blocked
      if (one.row.state !== 'registered') one.row = { ...one.row, state: 'registered', reason: null }
      return changed(one)
    }
    running.begin(one, one.cause, null)
    one.cause = 'restart'
  }

  /** Resolves when the journal has forgotten it, too. One of the same name that has come meanwhile is left alone. */
  const forget = async (one: LiveWorkload): Promise<void> => {
    const { name } = one.row
    live.delete(name)
    scheduling.stop(one)
    one.waiting?.cancel()
    changed(one)
    while (!live.has(name)) {
      try {
        await commits.run(() => (live.has(name) ? undefined : rows.remove(name)))
        if (!live.has(name)) logs.remove(name)
        return
      } catch (error) {
        log.error({ err: error }, 'cannot remove a workload from the journal; trying again')
        if (isShuttingDown) return
        await sleep(clock, 1000)
      }
    }
  }

  const changes = createChanges({
    ...{ live, rows, logs, commits, clock, running, scheduling, placeOf, enter, proceed, forget, changed },
    reportedChanged: deps.changed,
  })

  return {
    live,
    rows,
    logs,
    ...changes,
    /** What a task starts that names a workload; undefined if there is none of that name. */
    work: (payload: ProcessPayload): Work | { refused: string } | undefined => {
      const one = live.get(payload.workload ?? payload.within ?? '')
      if (!one || one.isRemoved) return undefined
      prepareFolder(one.spec, one.place)
      try {
        return payload.workload === undefined ? withinOf(one.spec, one.place, payload) : onceOf(one.spec, one.place, payload)
      } catch (error) {
        // The plugin of its type has no answer.
        return { refused: `cannot_start: ${error instanceof Error ? error.message : String(error)}` }
      }
    },
    /** Which plugin it needs that is not there. */
    lacksPlugin: (one: LiveWorkload): string | null => missingPlugin(one.spec, plugins),
    /** The runs of an earlier daemon that go on, or were to begin: nobody else may end them. */
    recover: (): Set<string> => {
      for (const row of rows.all()) enter(row)
      const known = new Set<string>()
      for (const run of rows.openRuns()) {
        const one = live.get(run.workload)
        if (!one || one.run) continue
        known.add(run.run_id)
        running.resume(one, run)
      }
      for (const one of live.values()) {
        const plan = (): void => scheduling.plan(one, one.row.last_slot ?? one.row.applied_at)
        // Of one whose run may have ended long ago that is found out first: what is due since then does not overlap it.
        if (one.run) once([(call) => one.settled.push(call), (call) => clock.after(lookedMs, call)], plan)
        else plan()
      }
      for (const name of startOrder([...live.values()].map((one) => one.spec)).order) {
        const one = live.get(name)
        if (!one) continue
        // A daemon died between two steps of it.
        if (!one.run && (one.row.state === 'starting' || one.row.state === 'running' || one.row.state === 'stopping'))
          one.row = { ...one.row, state: one.row.is_wanted === 1 ? 'registered' : 'stopped' }
        proceed(one)
      }
      tending.begin()
      shrinking = every(clock, shrinkMs, logs.shrink)
      return known
    },
    /** Somebody has answered what an agent waits for. */
    answer: ({ run, ...answer }: ApprovalAnswer & { run: string }): void => {
      for (const one of live.values()) if (one.run?.row.run_id === run) one.run.handle?.answer?.(answer)
    },
    /** The latest runs of a workload, newest first: also what has been decided and is about to be written, so that it agrees with the state. */
    history: (name: string, limit: number): WorkloadRun[] => {
      commits.flush()
      return rows.history(name, limit).map(shownRun)
    },
    /** By name. */
    statuses: (): WorkloadStatus[] =>
      [...live.values()]
        .filter((one) => !one.isRemoved)
        .map(statusOf)
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    /** Ends all of them, those first on which nothing depends; resolves when all have ended. */
    shutdown: async (): Promise<void> => {
      isShuttingDown = true
      running.shutdown()
      scheduling.close()
      for (const level of levelsOf([...live.values()]).reverse())
        await Promise.all(
          level.map((one) => {
            running.stop(one, 'shutdown')
            return changes.settled(one, one.spec.stop_grace_seconds * 1000 + unkillableMs)
          }),
        )
    },
    /** Lets go without touching what runs. */
    release: (): void => {
      isShuttingDown = true
      scheduling.close()
      tending.close()
      shrinking?.cancel()
      for (const one of live.values()) {
        one.waiting?.cancel()
        one.looking?.cancel()
        one.run?.timeout?.cancel()
        void one.run?.checks?.close()
        one.run?.handle?.release()
      }
      logs.release()
    },
  }
}
export type Workloads = ReturnType<typeof createWorkloads>

const isOver = (row: WorkloadRow): boolean =>
  row.state === 'completed' || row.state === 'failed' || row.state === 'crash_loop' || row.state === 'stopped'

/** Calls once, by whichever of these comes first. */
const once = (ways: readonly ((call: () => void) => unknown)[], call: () => void): void => {
  let isDone = false
  for (const way of ways)
    way(() => {
      if (!isDone) call()
      isDone = true
    })
}

/** Workloads by how many others stand between them and those that depend on nothing. */
const levelsOf = (all: readonly LiveWorkload[]): LiveWorkload[][] => {
  const byName = new Map(all.map((one) => [one.row.name, one]))
  const levels = new Map<string, number>()
  const rows: LiveWorkload[][] = []
  for (const name of startOrder(all.map((one) => one.spec)).order) {
    const one = byName.get(name)
    if (!one) continue
    // One that comes later in the order is part of a circle, and has not begun.
    const level = Math.max(0, ...one.spec.depends_on.map((dependency) => (levels.get(dependency.name) ?? -1) + 1))
    levels.set(name, level)
    rows[level] = [...(rows[level] ?? []), one]
  }
  return rows
}
