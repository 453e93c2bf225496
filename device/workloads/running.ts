import type { Chance } from '../../base/chance.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { GroupCommit, Outlives } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import type { ApprovalChange } from '../../schemas/agent-events.ts'
import type { RunEnd, Runner, RunWatcher } from '../runner.ts'
import { isLackOfRoom } from '../runners/run-folder.ts'
import { decideNext } from './deciding.ts'
import type { CurrentRun, LiveWorkload } from './live-workload.ts'
import { outcomeOf, reasonOf } from './outcome.ts'
import { retryInMs } from './retry.ts'
import { prepareFolder, startOrderOf } from './start-order.ts'
import type { RunCause, WorkloadRow, WorkloadRows, WorkloadRunRow, WorkloadStopReason } from './workload-rows.ts'

export interface RunningDeps {
  device: string
  rows: WorkloadRows
  commits: GroupCommit
  runner: Runner
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  /** An agent waits for somebody's permission, or that has been answered. */
  approval: (run: string, change: ApprovalChange) => void
  /** Its process is there. */
  started: (one: LiveWorkload, run: CurrentRun) => void
  /** A line may have come. */
  wrote: (one: LiveWorkload, bytes: Buffer) => void
  /** Its run is over and journalled: what is next? */
  ended: (one: LiveWorkload) => void | Promise<void>
  /** Something that is shown of it has changed. */
  changed: (one: LiveWorkload) => void
  /** A run of it has ended in failure, by itself. */
  failed?: ((one: LiveWorkload) => void) | undefined
}

const againMs = 1000
const purgeEvery = 50
const errorChars = 500

/** Starts the runs of workloads and sees them through to their end; each step is in the journal before the next is taken. */
export const createRunning = (deps: RunningDeps) => {
  const { rows, commits, runner, clock, log } = deps
  let isShuttingDown = false

  const report = (error: unknown): void => log.error({ err: error }, 'cannot write the journal; trying again')

  const put = (one: LiveWorkload, run: CurrentRun | null): void => {
    // Its last run is over: the next daemon must not take it for one that is to run, unless it has been applied again meanwhile.
    if (one.isRemoved && run && run.row.ended_at !== null && rows.isRemoving(run.row.run_id)) return rows.remove(one.row.name)
    if (!one.isRemoved) rows.put(one.row)
    if (run) rows.putRun(run.row)
    if (run && run.row.ended_at !== null && one.row.run_count % purgeEvery === 0) rows.purge(one.row.name)
  }
  /** What waits for room is the row as it is then: to wait for it once is enough, however often it changes meanwhile. */
  const waitingRows = new Map<LiveWorkload, Promise<void>>()
  const storeRow = (one: LiveWorkload): Promise<void> => {
    const known = waitingRows.get(one)
    if (known) return known
    const storing = commits
      .run(() => put(one, null))
      .catch((error: unknown) => {
        report(error)
        if (isShuttingDown) return
        const known = waitingRows.get(one)
        if (known) return known
        const waiting = sleep(clock, againMs).then(() => {
          waitingRows.delete(one)
          return storeRow(one)
        })
        waitingRows.set(one, waiting)
        return waiting
      })
    return storing
  }

  /** Resolves when it is stored; on a full disk that may take a while. */
  const store = async (one: LiveWorkload, run: CurrentRun | null, outlives?: Outlives): Promise<void> => {
    if (!run) return storeRow(one)
    for (;;) {
      try {
        return await commits.run(() => put(one, run), outlives)
      } catch (error) {
        report(error)
        if (isShuttingDown) return
        // It has ended, and only the disk is waited for: who has asked for the end need not.
        if (run.row.ended_at !== null) settled(one)
        await sleep(clock, againMs)
      }
    }
  }

  const settled = (one: LiveWorkload): void => {
    for (const call of one.settled.splice(0)) call()
  }

  const newRun = (one: LiveWorkload, row: WorkloadRunRow): CurrentRun => ({
    row,
    spec: one.spec,
    handle: null,
    pid: null,
    sinceMono: row.started_mono,
    timeout: null,
    checks: null,
    pulse: null,
    isPaused: false,
    errors: '',
    why: row.reason,
    isWarned: false,
  })

  const launch = (one: LiveWorkload, run: CurrentRun): void => {
    const watcher = watch(one, run)
    const failed = (reason: string): void => watcher.ended({ kind: 'not_started', code: 125, reason })
    if (run.row.stop_for !== null) return failed('never_started')
    try {
      const order = startOrderOf(run.spec, one.place, run.row.run_id, run.row.slot)
      const lack = runner.lacks(order.setup ?? {})
      if (lack !== undefined) return failed(`not_enforceable: ${lack}`)
      prepareFolder(run.spec, one.place)
      run.handle = runner.start(order, watcher)
    } catch (error) {
      // Nothing of it has begun, and that is not its fault.
      if (isLackOfRoom(error)) return watcher.noRoom()
      failed(`cannot_start: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  const watch = (one: LiveWorkload, run: CurrentRun): RunWatcher => ({
    started: (pid) => {
      run.pid = pid
      if (run.row.started_mono === null) {
        run.sinceMono = clock.mono()
        run.row = { ...run.row, state: 'running', started_at: clock.now(), started_mono: run.sinceMono }
        if (one.row.state === 'starting') one.row = { ...one.row, state: 'running', reason: null, last_started_at: clock.now() }
        void store(one, run, lastingOf(run))
      }
      startTimeout(one, run)
      deps.started(one, run)
      deps.changed(one)
    },
    output: (stream, bytes) => {
      one.log.push(stream, bytes)
      if (stream === 'e')
        run.errors = (run.errors + bytes.toString('utf8', Math.max(0, bytes.length - 4 * errorChars))).slice(-errorChars)
      deps.wrote(one, bytes)
      hold(one)
    },
    say: (text) => tell(one, text),
    approval: (change) => deps.approval(run.row.run_id, change),
    ended: (end) => finish(one, run, end),
    noRoom: () => {
      runner.forget(run.row.run_id)
      clock.after(againMs, () => {
        if (one.run === run) launch(one, run)
      })
    },
  })

  const startTimeout = (one: LiveWorkload, run: CurrentRun): void => {
    const seconds = run.spec.timeout_seconds
    if (seconds === undefined || run.timeout) return
    const spentMs = clock.mono() - (run.row.started_mono ?? clock.mono())
    run.timeout = clock.after(Math.max(0, seconds * 1000 - spentMs), () => stop(one, 'timed_out', `timed out after ${seconds} s`))
  }

  /** A program waits while there is no room for what it writes. */
  const hold = (one: LiveWorkload): void => {
    const { run } = one
    if (!run || one.log.isFull() === run.isPaused) return
    run.isPaused = !run.isPaused
    if (run.isPaused) run.handle?.pause()
    else run.handle?.resume()
  }

  const stop = (one: LiveWorkload, stopFor: WorkloadStopReason, why: string | null = null): void => {
    const { run } = one
    if (!run) return
    if (run.row.ended_at !== null) return settle(one, stopFor)
    const signal = (): void => {
      const graceMs = run.spec.stop_grace_seconds * 1000
      // Whoever has had its time is not asked to end what it is at.
      if (run.row.stop_for === 'timed_out' && run.handle?.cutOff) run.handle.cutOff(graceMs)
      else run.handle?.stop(graceMs, run.spec.stop_signal)
    }
    if (run.row.stop_for !== null && !outranks(stopFor, run.row.stop_for)) return signal()
    run.why = why
    run.row = { ...run.row, stop_for: stopFor, reason: why }
    if (stopFor !== 'shutdown') one.row = { ...one.row, state: 'stopping', reason: why ?? stopFor }
    deps.changed(one)
    // What it is stopped for decides how it ends, so that is written first; a full disk must not keep it alive.
    commits
      .run(() => put(one, run))
      .then(signal, (error: unknown) => {
        report(error)
        signal()
      })
  }

  /** Its run has ended by itself, which is being written down: how it ended stands, and only what comes next is another. */
  const settle = (one: LiveWorkload, stopFor: WorkloadStopReason): void => {
    if (stopFor === 'stopped') one.row = { ...one.row, state: 'stopped', reason: reasonOf.stopped, retry_at: null }
    if ((stopFor === 'restart' || stopFor === 'changed') && one.row.is_wanted === 1)
      one.row = { ...one.row, state: 'registered', reason: null, retry_at: null }
    deps.changed(one)
  }

  const finish = (one: LiveWorkload, run: CurrentRun, end: RunEnd): void => {
    // It may have ended while no daemon was there.
    const endedMono = (end.kind === 'exited' ? writtenMono(run.row, end.endedAt) : undefined) ?? clock.mono()
    const endedAt = clock.now() - (clock.mono() - endedMono)
    run.pid = null
    run.timeout?.cancel()
    void run.checks?.close()
    const wrapUp = (): void => {
      try {
        one.log.end()
      } catch (error) {
        report(error)
        if (!isShuttingDown) return void clock.after(againMs, wrapUp)
      }
      const outcome = outcomeOf(end, run.row.stop_for, run.why)
      run.row = { ...run.row, ...outcome, ended_at: endedAt }
      const { row, say } = decideNext({
        row: one.row,
        spec: one.spec,
        run: run.row,
        errors: one.log.lastErrors?.() ?? run.errors,
        livedMs: run.sinceMono === null ? 0 : endedMono - run.sinceMono,
        isRebooted: end.kind === 'unknown' && end.reason === 'device_rebooted',
        isShuttingDown,
        now: endedAt,
        mono: endedMono,
        boot: deps.boot,
        chance: deps.chance.random(),
      })
      one.row = row
      // That the machine was started anew is nobody's failure.
      const isFailure = run.row.state === 'failed' || run.row.state === 'timed_out'
      if (isFailure && run.row.reason !== 'device_rebooted' && !isShuttingDown) deps.failed?.(one)
      const goesOn = isAgain(row)
      const stored = store(one, run, goesOn ? lastingOf(run) : undefined).then(() => runner.forget(run.row.run_id))
      const talk = (): void => {
        tell(one, say)
        tellLog(one, run)
      }
      // What begins again at once is written together with this end, and begins before there is talk of it.
      if (goesOn) {
        leave()
        return clock.soon(talk)
      }
      talk()
      void stored.then(leave)
    }
    const isAgain = (row: WorkloadRow): boolean =>
      row.state === 'backoff' && retryInMs(row, one.spec, deps.boot, clock) === 0 && !one.isRemoved && !isShuttingDown
    const leave = (): void => {
      if (one.run === run) one.run = null
      one.health = one.spec.health ? 'unknown' : null
      one.memoryBytes = null
      deps.changed(one)
      const over = deps.ended(one)
      // Whoever waits for its end waits until the journal has forgotten it, if it was deleted.
      if (over) void over.then(() => settled(one))
      else settled(one)
    }
    wrapUp()
  }

  /**
   * The monotonic instant of an end that was written down at an instant of the wall clock: as long after its start as that. Undefined where the
   * clock was set in between, which shows by an end before its start, or later than now.
   */
  const writtenMono = ({ started_at, started_mono }: WorkloadRunRow, writtenAt: number | undefined): number | undefined => {
    if (writtenAt === undefined || started_at === null || started_mono === null) return undefined
    const mono = started_mono + (writtenAt - started_at)
    return mono >= started_mono && mono <= clock.mono() ? mono : undefined
  }

  const tellLog = (one: LiveWorkload, { row }: CurrentRun): void => {
    const { workload, run_id: id, reason } = row
    const facts = { workload, run: id, cause: row.cause, ended: row.state, exit_code: row.exit_code, reason, now: one.row.state }
    if (one.row.state === 'failed' || one.row.state === 'crash_loop') log.warn(facts, 'workload is not started again')
    else if (row.state === 'failed' || row.state === 'timed_out') log.info(facts, 'run of a workload has failed')
    else log.debug(facts, 'run of a workload has ended')
  }

  /** What Skein says in the log of a workload is no reason to fail. */
  const tell = (one: LiveWorkload, text: string): void => {
    try {
      one.log.say(text)
    } catch (error) {
      report(error)
    }
  }

  return {
    /** Begins a run: in the journal first, and with it its slot is claimed. */
    begin: (one: LiveWorkload, cause: RunCause, slot: number | null): void => {
      const before = one.row
      const now = clock.now()
      const run = newRun(one, {
        run_id: `${deps.device.slice(0, 36)}-${deps.chance.ulid(now)}`,
        workload: one.row.name,
        cause,
        slot,
        state: 'accepted',
        stop_for: null,
        reason: null,
        exit_code: null,
        signal: null,
        boot: deps.boot,
        accepted_at: now,
        started_at: null,
        started_mono: null,
        ended_at: null,
      })
      one.run = run
      one.blockedBy = null
      one.row = { ...before, state: 'starting', reason: null, retry_at: null, run_count: before.run_count + 1 }
      deps.changed(one)
      commits
        .run(() => put(one, run), cause === 'restart' ? lastingOf(run) : undefined)
        .then(
          () => launch(one, run),
          (error: unknown) => {
            report(error)
            // Stopped meanwhile: the wish stands, and there is nothing to try again.
            if (run.row.stop_for !== null) return finish(one, run, { kind: 'not_started', code: 125, reason: 'never_started' })
            one.run = null
            const { state, retry_at, run_count } = before
            const last_slot = slot === null ? one.row.last_slot : Math.min(one.row.last_slot ?? slot, slot - 1)
            one.row = { ...one.row, state, retry_at, run_count, last_slot, reason: 'the journal cannot be written' }
            // Nobody has claimed it: it is tried again.
            if (slot !== null && !rows.isClaimed(one.row.name, slot))
              one.queue.unshift({ slot, cause: cause === 'missed' ? cause : 'firing' })
            deps.changed(one)
            clock.after(againMs, () => void deps.ended(one))
          },
        )
    },
    /** Takes up a run of an earlier daemon. */
    resume: (one: LiveWorkload, row: WorkloadRunRow): void => {
      const run = newRun(one, row)
      one.run = run
      if (row.stop_for === 'removed') one.isRemoved = true
      const isUntouched = row.state === 'accepted' && row.boot === deps.boot && row.stop_for === null
      if (isUntouched) return launch(one, run)
      run.handle = runner.adopt({ run: row.run_id, boot: row.boot, hasSetup: true }, watch(one, run))
      if (row.stop_for !== null) run.handle.stop(run.spec.stop_grace_seconds * 1000, run.spec.stop_signal)
    },
    stop,
    store,
    tell,
    hold,
    shutdown: (): void => {
      isShuttingDown = true
    },
  }
}
export type Running = ReturnType<typeof createRunning>

/**
 * A power cut ends what runs for ever and begins it anew, whatever was written of it; so its restarts do not wait for the disk, which
 * takes 0.3 ms at best, and 10 where others write, too. What is counted, or has a slot, must not run twice.
 */
const lastingOf = ({ row, spec }: CurrentRun): Outlives =>
  spec.run_mode === 'forever' && row.slot === null ? 'process' : 'power_cut'

/** A person's wish counts more than what was going on by itself. */
const outranks = (one: WorkloadStopReason, other: WorkloadStopReason): boolean => rank[one] > rank[other]
const rank: Record<WorkloadStopReason, number> = {
  timed_out: 0,
  oom: 0,
  unhealthy: 0,
  shutdown: 1,
  replaced: 1,
  changed: 2,
  restart: 2,
  stopped: 3,
  removed: 4,
}
