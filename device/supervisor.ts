import type { Clock, Timer } from '../base/clock.ts'
import { every } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { RunOrder } from '../schemas/exchange.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { optionDefaults } from '../schemas/task.ts'
import { type Journal, type JournalRun, ordersOf, type StopReason } from './journal.ts'
import { endOfRun } from './run-end.ts'
import { createRunLog, type RunLog } from './run-log.ts'
import { changeOf, logOf, newRow } from './run-rows.ts'
import type { RunEnd, RunHandle, Runner, RunWatcher } from './runner.ts'
import { createSettlement } from './settlement.ts'

export interface SupervisorDeps {
  device: string
  fleet: string
  journal: Journal
  commits: GroupCommit
  runner: Runner
  clock: Clock
  log: Log
  boot: string
  /** The controller's clock, as far as it is known. */
  controllerNow: () => number
  /** New records wait to be sent. */
  wake: () => void
  isFlowing: () => boolean
  /** How many bytes of log may wait on this device. */
  spoolBudget: () => number
}

/** A run that this daemon looks after. */
interface Live {
  row: JournalRun
  orders: RunOrder
  log: RunLog
  handle: RunHandle | null
  timeout: Timer | null
  isStoring: boolean
  isPaused: boolean
}

/** Above this much unacknowledged log a program waits, and goes on below the half. */
const holdAboveBytes = 8 * 1024 * 1024
/** Of a run that was given up, how long before a retry may begin SIGKILL is sent at the latest. */
const killMarginMs = 5000
/** How long an ended run is remembered, so that no late command starts it again: far longer than any command lives. */
const rememberMs = 24 * 3600 * 1000

/**
 * Looks after the runs of a device: journals what it is told before it does it, starts, stops, times, and journals what becomes
 * of it. It needs nobody: what the controller has not heard waits in the journal.
 */
export const createSupervisor = (deps: SupervisorDeps) => {
  const { journal, commits, runner, clock, log } = deps
  const live = new Map<string, Live>()
  let isShuttingDown = false
  let idle: (() => void)[] = []

  /** Stores something about a live run. Its row in memory is what is stored; if that fails, it is what was stored before. */
  const change = (one: Live, work: () => void): Promise<void> =>
    commits
      .run(() => {
        work()
        journal.updateRun(one.row)
      })
      .catch((error: unknown) => {
        journal.forgetUncommitted()
        one.row = journal.run(one.row.run_id) ?? one.row
        one.log.putBack()
        throw error
      })

  const report = (error: unknown): void => log.error({ err: error }, 'cannot write the journal; trying again')
  const settlement = createSettlement({ journal, commits, now: deps.controllerNow, report })

  const begin = (row: JournalRun, isNew: boolean): void => {
    const orders = ordersOf(row)
    const one: Live = {
      row,
      orders,
      log: createRunLog({ options: orders.options, clock, journal, now: deps.controllerNow, wantsStore: () => store(one) }),
      handle: null,
      timeout: null,
      isStoring: false,
      isPaused: false,
    }
    live.set(row.run_id, one)
    const watcher = watch(one)
    const journalled = { o: row.out_bytes, e: row.err_bytes }
    // Accepted by an earlier daemon of this boot, and still wanted: it is begun now.
    const isUntouched =
      row.state === 'accepted' && row.out_bytes + row.err_bytes === 0 && row.boot === deps.boot && !isGivenUp(one)
    // What is not to begin any more is adopted: that claims it, so that nothing can start it.
    one.handle =
      (isNew || isUntouched) && row.stop_for === null
        ? runner.start({ run: row.run_id, payload: orders.payload, env: envOf(row) }, watcher)
        : runner.adopt({ run: row.run_id, boot: row.boot, journalled }, watcher)
    if (row.stop_for !== null) one.handle.stop(graceMs(one))
    else if (isShuttingDown) stop(one, 'shutdown')
  }

  const envOf = (row: JournalRun): Record<string, string> => ({
    SKEIN_FLEET: deps.fleet,
    SKEIN_DEVICE: deps.device,
    SKEIN_RUN: row.run_id,
    SKEIN_TASK: row.task_id ?? '',
    SKEIN_ATTEMPT: String(row.attempt),
  })

  const watch = (one: Live): RunWatcher => ({
    started: () => {
      if (one.row.started_mono === null) {
        const startedMono = clock.mono()
        change(one, () => {
          one.row = { ...one.row, state: 'running', started_mono: startedMono }
          journal.appendChange(changeOf(one.row, deps.controllerNow()))
        }).then(deps.wake, report)
      }
      startTimeout(one)
    },
    output: (stream, _offset, bytes) => {
      one.log.push(stream, bytes)
      hold(one)
    },
    ended: (end) => finish(one, end),
  })

  /** The time that a run may take counts from its start, also through a restart of the daemon. */
  const startTimeout = (one: Live): void => {
    const seconds = one.orders.options.timeout_seconds
    if (seconds === undefined || one.timeout !== null) return
    const spentMs = clock.mono() - (one.row.started_mono ?? clock.mono())
    one.timeout = clock.after(Math.max(0, seconds * 1000 - spentMs), () => stop(one, 'timed_out'))
  }

  const graceMs = (one: Live): number => {
    const wantedMs = (one.orders.options.stop_grace_seconds ?? optionDefaults.stop_grace_seconds) * 1000
    // A retry may begin when the controller gives the run up: by then even what ignores SIGTERM has to be gone.
    return one.row.stop_for === 'given_up' ? Math.min(wantedMs, Math.max(0, marginMs(one, wantedMs) - killMarginMs)) : wantedMs
  }

  /** How long before the controller gives a run up its device begins to stop it. */
  const marginMs = (one: Live, wantedGraceMs: number): number =>
    Math.min(wantedGraceMs + killMarginMs, ((one.orders.given_up_after_seconds ?? 0) * 1000) / 2)

  const stop = (one: Live, why: StopReason): void => {
    if (one.row.stop_for !== null) return one.handle?.stop(graceMs(one))
    change(one, () => {
      one.row = { ...one.row, stop_for: one.row.stop_for ?? why }
    }).then(
      () => one.handle?.stop(graceMs(one)),
      (error: unknown) => {
        report(error)
        // A full disk must not keep a program alive that has to end.
        one.row = { ...one.row, stop_for: one.row.stop_for ?? why }
        one.handle?.stop(graceMs(one))
      },
    )
  }

  const store = (one: Live): void => {
    if (one.isStoring || !live.has(one.row.run_id)) return
    one.isStoring = true
    change(one, () => {
      one.row = one.log.store(one.row, false)
      shed()
    }).then(
      () => {
        one.isStoring = false
        stored(one)
        deps.wake()
      },
      (error: unknown) => {
        report(error)
        clock.after(1000, () => {
          one.isStoring = false
          store(one)
        })
      },
    )
  }

  const stored = (one: Live): void => {
    one.log.stored()
    one.handle?.journalled('o', one.row.out_bytes)
    one.handle?.journalled('e', one.row.err_bytes)
    hold(one)
  }

  /** Lets a program wait while too much of its output is on its way; not while nobody takes any, then the budget decides. */
  const hold = (one: Live): void => {
    const waiting = journal.unacknowledgedBytes(`log:${one.row.run_id}`)
    const limit = one.isPaused ? holdAboveBytes / 2 : holdAboveBytes
    const shouldPause = one.log.isFull() || (deps.isFlowing() && waiting > limit)
    if (shouldPause === one.isPaused) return
    one.isPaused = shouldPause
    if (shouldPause) one.handle?.pause()
    else one.handle?.resume()
  }

  const shed = (): void => {
    const budget = deps.spoolBudget()
    for (let over = journal.logBytes() - budget; over > 0; ) {
      const freed = journal.shed(deps.controllerNow())
      if (freed <= 0) return
      over -= freed
    }
  }

  const finish = (one: Live, end: RunEnd): void => {
    one.timeout?.cancel()
    one.log.finish()
    let seq = 0
    change(one, () => {
      const result = endOfRun(end, one.row.stop_for, one.orders.options.timeout_seconds)
      one.row = {
        ...one.log.store(one.row, true),
        state: result.state,
        ended_at: deps.controllerNow(),
        result: JSON.stringify(result),
      }
      seq = journal.appendChange(changeOf(one.row, deps.controllerNow(), { ...result, log: logOf(one.row) }))
      shed()
    }).then(
      () => {
        one.log.stored()
        live.delete(one.row.run_id)
        settlement.ended(one.row.run_id, seq)
        runner.forget(one.row.run_id)
        deps.wake()
        if (live.size === 0) for (const call of idle.splice(0)) call()
      },
      (error: unknown) => {
        report(error)
        clock.after(1000, () => finish(one, end))
      },
    )
  }

  /** Ends what the controller has given up by now, if the task asked for that. A little earlier than the controller would. */
  const stopGivenUp = (): void => {
    for (const one of live.values()) if (one.row.stop_for === null && isGivenUp(one)) stop(one, 'given_up')
  }

  const isGivenUp = (one: Live): boolean => {
    const seconds = one.orders.given_up_after_seconds
    const silentMs = clock.mono() - Math.max(journal.heardMono(), one.row.heard_mono)
    return seconds !== undefined && silentMs >= seconds * 1000 - marginMs(one, graceMs(one))
  }

  const ticking = every(clock, 1000, () => {
    stopGivenUp()
    settlement.settle()
    for (const one of live.values()) hold(one)
  })
  const purging = every(clock, 3_600_000, () => {
    commits.run(() => journal.purge(deps.controllerNow() - rememberMs)).catch(report)
  })

  return {
    /** Takes up what an earlier daemon left: what ran is adopted, what was only accepted is started. */
    recover: (): void => {
      const open = journal.openRuns()
      const known = new Set(open.map((row) => row.run_id))
      for (const left of runner.leftovers()) {
        if (known.has(left)) continue
        // Of a memory that is gone, or acknowledged long ago: it may not go on unseen.
        const handle = runner.adopt({ run: left, boot: deps.boot, journalled: { o: 0, e: 0 } }, orphan(left))
        handle.stop(0)
      }
      for (const row of open) {
        if (isRunOver(row.state)) {
          settlement.resume(row)
          runner.forget(row.run_id)
        } else begin(row, false)
      }
    },

    orders: (orders: RunOrder[], sentMono: number): void => {
      if (isShuttingDown) return
      let begun: JournalRun[] = []
      commits
        .run(() => {
          begun = []
          for (const order of orders) {
            const known = journal.run(order.run)
            if (known) {
              settlement.answerAgain(known)
              continue
            }
            const isLate = order.start_before !== undefined && Date.parse(order.start_before) <= deps.controllerNow()
            const row = newRow({
              run: order.run,
              order,
              state: isLate ? 'rejected' : 'accepted',
              boot: deps.boot,
              now: deps.controllerNow(),
              heardMono: sentMono - (order.silent_seconds ?? 0) * 1000,
            })
            const result = isLate ? { reason: 'expired' } : {}
            journal.insertRun({ ...row, result: JSON.stringify(result) })
            const seq = journal.appendChange(changeOf(row, deps.controllerNow(), result))
            if (isLate) settlement.ended(row.run_id, seq)
            else begun.push(row)
          }
        })
        .then(() => {
          deps.wake()
          for (const row of begun) begin(journal.run(row.run_id) ?? row, true)
        }, report)
    },

    cancels: (runs: readonly string[]): void => {
      const unknown: string[] = []
      for (const run of runs) {
        const one = live.get(run)
        if (one) stop(one, 'cancelled')
        else unknown.push(run)
      }
      if (unknown.length === 0) return
      commits
        .run(() => {
          for (const run of unknown) {
            const known = journal.run(run)
            if (known) {
              if (isRunOver(known.state)) settlement.answerAgain(known)
              // Accepted in this very moment: whoever begins it reads this.
              else if (known.stop_for === null) journal.updateRun({ ...known, stop_for: 'cancelled' })
              continue
            }
            // Not come yet: it is written down, and refused when it comes.
            const now = deps.controllerNow()
            const row = newRow({ run, order: null, state: 'cancelled', boot: deps.boot, now, heardMono: clock.mono() })
            const result = { reason: 'cancelled_before_start' }
            journal.insertRun({ ...row, result: JSON.stringify(result) })
            settlement.ended(run, journal.appendChange(changeOf(row, now, result)))
          }
        })
        .then(deps.wake, report)
    },

    unwanted: (runs: readonly string[]): void => {
      for (const run of runs) {
        const one = live.get(run)
        if (one) stop(one, 'superseded')
      }
    },

    running: (): string[] => [...live.keys()],
    runs: () => [...live.values()].map(({ row }) => ({ run: row.run_id, task: row.task_id, state: row.state })),
    wantsAnswer: (): boolean => [...live.values()].some((one) => one.orders.given_up_after_seconds !== undefined),
    acknowledged: settlement.settle,
    /** Ends every run within its grace; resolves when all have ended and are journalled. */
    shutdown: (): Promise<void> => {
      isShuttingDown = true
      for (const one of live.values()) stop(one, 'shutdown')
      return live.size === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))
    },
    /** Lets go without touching what runs. */
    release: (): void => {
      ticking.cancel()
      purging.cancel()
      for (const one of live.values()) {
        one.timeout?.cancel()
        one.log.release()
        one.handle?.release()
      }
      live.clear()
      idle = []
    },
  }

  function orphan(run: string): RunWatcher {
    return { started: () => {}, output: () => {}, ended: () => runner.forget(run) }
  }
}
export type Supervisor = ReturnType<typeof createSupervisor>
