import { existsSync } from 'node:fs'
import { type Clock, sleep } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import { type ApplyPlan, digestOf, type FoundWorkload, type Owner, planApply } from './apply-plan.ts'
import type { LiveWorkload } from './live-workload.ts'
import type { WorkloadLogs } from './logs/workload-logs.ts'
import { startOrder } from './order.ts'
import type { Running } from './running.ts'
import type { Scheduling } from './scheduling.ts'
import type { Place } from './start-order.ts'
import type { WorkloadRow, WorkloadRows, WorkloadRunRow } from './workload-rows.ts'

export interface ChangesDeps {
  live: ReadonlyMap<string, LiveWorkload>
  rows: WorkloadRows
  logs: WorkloadLogs
  commits: GroupCommit
  clock: Clock
  running: Running
  scheduling: Scheduling
  placeOf: (name: string, file: string | null) => Place
  /** Looks after it from now on. */
  enter: (row: WorkloadRow) => LiveWorkload
  /** Takes the next step of a workload that has no run. */
  proceed: (one: LiveWorkload) => void
  /** Resolves when the journal has forgotten it. */
  forget: (one: LiveWorkload) => Promise<void>
  changed: (one: LiveWorkload) => void
  /** What is reported has changed. */
  reportedChanged: () => void
}

const storedWithinMs = 3000

/** What people ask of workloads: that they start, stop and start again, that files are made to hold, that they are forgotten. */
export const createChanges = (deps: ChangesDeps) => {
  const { live, rows, logs, commits, clock, running, scheduling, placeOf, enter, proceed, forget, changed } = deps

  const calm = (one: LiveWorkload): void => {
    one.waiting?.cancel()
    one.waiting = null
    one.blockedBy = null
  }

  /** Counted from here on: a start by hand, or another spec. */
  const fresh = {
    ...{ run_count: 0, successes: 0, failures: 0, recent: '[]', reason: null },
    ...{ retry_at: null, retry_mono: null, retry_boot: null },
  } as const

  const begun = (spec: WorkloadSpec): Partial<WorkloadRow> =>
    spec.run_mode === 'n_times' ? fresh : { failures: 0, recent: '[]', retry_at: null, reason: null }

  /** On a full disk it is done, though not yet written down: who has asked for it is not kept waiting until there is room. */
  const patiently = (storing: Promise<void>): Promise<void> => Promise.race([storing, sleep(clock, storedWithinMs)])

  const start = async (one: LiveWorkload): Promise<void> => {
    const wasOn = one.row.is_wanted === 1
    const run = runOf(one)
    if (wasOn && (run ? run.row.stop_for === null : one.spec.run_mode === 'schedule')) return
    calm(one)
    one.cause = 'manual'
    const now = clock.now()
    // What was due while it was not wanted is no firing of it, for the next daemon neither.
    const since = wasOn ? {} : { last_slot: now }
    const state = run ? {} : { state: 'registered' as const }
    one.row = { ...one.row, ...begun(one.spec), is_wanted: 1, ...since, ...state }
    await patiently(running.store(one, null))
    if (!wasOn) scheduling.plan(one, now)
    changed(one)
    proceed(one)
  }

  const stop = async (one: LiveWorkload): Promise<void> => {
    calm(one)
    scheduling.stop(one)
    const isRunning = one.run !== null
    one.row = {
      ...one.row,
      is_wanted: 0,
      retry_at: null,
      ...(isRunning ? {} : { state: 'stopped' as const, reason: 'stopped by hand' }),
    }
    running.stop(one, 'stopped')
    await patiently(running.store(one, one.run))
    changed(one)
  }

  const restart = async (one: LiveWorkload): Promise<void> => {
    if (!one.run || one.row.is_wanted === 0) return start(one)
    calm(one)
    one.cause = 'manual'
    one.row = { ...one.row, ...begun(one.spec) }
    running.stop(one, 'restart')
  }

  /** Resolves when a workload has no run, or after a while. */
  const settled = (one: LiveWorkload, withinMs: number): Promise<void> =>
    one.run === null
      ? Promise.resolve()
      : new Promise((resolve) => {
          const hasEnded = one.run?.row.ended_at !== null
          const timer = clock.after(hasEnded ? storedWithinMs : withinMs, resolve)
          one.settled.push(() => {
            timer.cancel()
            resolve()
          })
        })

  const saidOf = ({ spec, file }: FoundWorkload, owner: Owner) => ({
    origin: owner.kind === 'local' ? 'local' : owner.release,
    ...{ file, spec: JSON.stringify(spec), digest: digestOf({ spec, file }) },
  })

  const newRow = (found: FoundWorkload, owner: Owner): WorkloadRow => {
    const now = clock.now()
    return {
      ...{ name: found.spec.name, ...saidOf(found, owner), applied_at: now },
      ...{ is_wanted: 1, state: 'registered', ...fresh, last_slot: now },
      ...{ last_exit_code: null, last_error: null, last_started_at: null, last_ended_at: null },
    }
  }

  const relabelled = (one: LiveWorkload, found: FoundWorkload, owner: Owner): WorkloadRow => ({
    ...one.row,
    ...saidOf(found, owner),
  })

  const changedRow = (one: LiveWorkload, found: FoundWorkload, owner: Owner): WorkloadRow => {
    // One that was being deleted is a new one. What somebody has stopped stays so, unless a release says that it is to run.
    const is_wanted = one.isRemoved || owner.kind === 'release' ? 1 : one.row.is_wanted
    return {
      ...relabelled(one, found, owner),
      ...fresh,
      ...{ applied_at: clock.now(), last_slot: clock.now(), is_wanted },
      ...(runOf(one) || is_wanted === 0 ? {} : { state: 'registered' as const }),
    }
  }

  /** A run that ends for this reason, whatever it was being stopped for. */
  const stoppedFor = (one: LiveWorkload, stop_for: 'changed' | 'removed'): WorkloadRunRow[] => {
    const run = runOf(one)
    return run ? [{ ...run.row, stop_for }] : []
  }

  const relabel = (one: LiveWorkload, found: FoundWorkload, owner: Owner): void => {
    one.row = relabelled(one, found, owner)
    one.spec = found.spec
    one.place = placeOf(found.spec.name, found.file)
  }

  const change = (one: LiveWorkload, found: FoundWorkload, owner: Owner): void => {
    const before = one.spec
    const row = changedRow(one, found, owner)
    relabel(one, found, owner)
    calm(one)
    one.row = row
    if (one.isRemoved && one.run) one.run.row = { ...one.run.row, stop_for: 'changed' }
    one.isRemoved = false
    if (JSON.stringify([before.output, before.log]) !== JSON.stringify([found.spec.output, found.spec.log])) {
      logs.close(one.row.name)
      one.log = logs.open(one.row.name, found.spec)
    }
    one.health = found.spec.health ? 'unknown' : null
    running.stop(one, 'changed')
  }

  /** Resolves when the journal knows. */
  const remove = (one: LiveWorkload): Promise<void> => {
    calm(one)
    scheduling.stop(one)
    running.stop(one, 'removed')
    one.isRemoved = true
    return patiently(runOf(one) ? running.store(one, one.run) : forget(one))
  }

  const storeSources = ({ roots, gone = [] }: Extract<Owner, { kind: 'local' }>): void => {
    for (const root of roots) {
      if (gone.includes(root)) rows.dropSource(root)
      else rows.putSource(root)
    }
  }

  let turn: Promise<unknown> = Promise.resolve()

  return {
    /** What is planned holds until it is done: nothing else is added or deleted in between. */
    inTurn: <T>(work: () => Promise<T>): Promise<T> => {
      const done = turn.then(work)
      turn = done.catch(() => undefined)
      return done
    },
    /** What applying would change; or which names belong to somebody else. */
    plan: (found: readonly FoundWorkload[], owner: Owner) =>
      planApply(
        [...live.values()].filter((one) => !one.isRemoved).map((one) => one.row),
        found,
        owner,
        existsSync,
      ),
    /**
     * Makes it so, and in the same commit `also` what belongs to it; resolves when it is in the journal, and if the journal does not take it,
     * or `also` throws, nothing has changed. What has not changed is not touched. Only in turn.
     */
    apply: async (plan: ApplyPlan, owner: Owner, also: () => void = () => {}): Promise<void> => {
      const known = (found: readonly FoundWorkload[]): { one: LiveWorkload; found: FoundWorkload }[] =>
        found.flatMap((one) => {
          const other = live.get(one.spec.name)
          return other ? [{ one: other, found: one }] : []
        })
      // Of one that was deleted a moment ago the last run may not have ended: it stays the same one, or two would run at a time.
      const changing = (): { one: LiveWorkload; found: FoundWorkload }[] => known([...plan.changed, ...plan.added])
      const adding = (): FoundWorkload[] => plan.added.filter(({ spec }) => !live.has(spec.name))
      const leaving = (): LiveWorkload[] => plan.removed.flatMap((name) => live.get(name) ?? [])
      await commits.run(() => {
        for (const { one, found } of changing()) {
          rows.put(changedRow(one, found, owner))
          // Known together with the new spec: the next daemon must not take the old program for it.
          for (const run of stoppedFor(one, 'changed')) rows.putRun(run)
        }
        for (const { one, found } of known(plan.relabelled)) rows.put(relabelled(one, found, owner))
        for (const found of adding()) rows.put(newRow(found, owner))
        for (const one of leaving()) {
          for (const run of stoppedFor(one, 'removed')) rows.putRun(run)
          if (!runOf(one)) rows.remove(one.row.name)
        }
        if (owner.kind === 'local') storeSources(owner)
        also()
      })
      const restarting = changing()
      const added = adding().map((found) => enter(newRow(found, owner)))
      for (const { one, found } of restarting) change(one, found, owner)
      for (const { one, found } of known(plan.relabelled)) relabel(one, found, owner)
      for (const one of leaving()) void remove(one)
      for (const one of [...added, ...restarting.map((other) => other.one)]) scheduling.plan(one, clock.now())
      for (const name of startOrder([...live.values()].map((one) => one.spec)).order) {
        const one = live.get(name)
        if (one) proceed(one)
      }
      deps.reportedChanged()
    },
    start,
    stop,
    restart,
    remove,
    settled,
  }
}

/** The run that goes on; one that has ended, and is being written down, is none any more. */
const runOf = ({ run }: LiveWorkload): LiveWorkload['run'] => (run?.row.ended_at === null ? run : null)
