import type { Clock } from '../base/clock.ts'
import { every } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { ApprovalChange } from '../schemas/agent-events.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import type { RunOrder } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { eventsOf, sourceOf } from '../schemas/sources.ts'
import { type Journal, type JournalRun, ordersOf } from './journal.ts'
import { createLiveRuns, type Live } from './live-runs.ts'
import { createLogFlow } from './log-flow.ts'
import type { Shelf } from './logs/shelf.ts'
import { endOfRun } from './run-end.ts'
import { changeOf, countsOf, eventCountsOf, logOf, newRow } from './run-rows.ts'
import type { ApprovalAnswer, RunEnd, RunHandle, Runner, RunWatcher, StartOrder } from './runner.ts'
import { createSettlement } from './settlement.ts'
import { createStopping } from './stopping.ts'

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
  shelf: Shelf
  /** New records wait to be sent. */
  wake: () => void
  isFlowing: () => boolean
  /** What is to be started for an order that names a workload of this device; undefined if there is none of that name, or why it cannot be started. */
  work: (order: RunOrder) => Work | { refused: string } | undefined
}

/** What a run starts, beside what is the same for all. */
export type Work = Pick<StartOrder, 'payload' | 'env' | 'setup'>

/** How long an ended run is remembered, so that no late command starts it again: far longer than any command lives. */
const rememberMs = 24 * 3600 * 1000
/** How long after it found no room a run is tried again. */
const startAgainMs = 1000

/**
 * Looks after the runs of a device: journals what it is told before it does it, starts, stops, times, and journals what becomes
 * of it. It needs nobody: what the controller has not heard waits in the journal.
 */
export const createSupervisor = (deps: SupervisorDeps) => {
  const { journal, commits, runner, shelf, clock, log } = deps
  const live = createLiveRuns(journal, commits)
  let isShuttingDown = false
  let idle: (() => void)[] = []

  const report = (error: unknown): void => log.error({ err: error }, 'cannot write the journal; trying again')
  const settlement = createSettlement({ journal, commits, shelf, now: deps.controllerNow, report })
  const { stop, signal, isGivenUp, startTimeout, stopGivenUp } = createStopping({ journal, live, clock, report })
  const { hold, changed } = createLogFlow({ ...deps, live })

  const begin = (row: JournalRun, isNew: boolean): void => {
    const orders = ordersOf(row)
    const one: Live = {
      row,
      orders,
      log: shelf.open(row.run_id, orders.options),
      events: shelf.get(eventsOf(row.run_id)) ?? null,
      handle: null,
      timeout: null,
      isPaused: false,
    }
    live.byId.set(row.run_id, one)
    one.log.prepare()
    // Accepted by an earlier daemon of this boot, and still wanted: it is begun now.
    const isUntouched = row.state === 'accepted' && one.log.isEmpty() && row.boot === deps.boot && !isGivenUp(one)
    start(one, isNew || isUntouched)
  }

  const start = (one: Live, mayBegin: boolean): void => {
    const { row } = one
    const watcher = watch(one)
    // What is not to begin any more is adopted: that claims it, so that nothing can start it.
    one.handle =
      mayBegin && row.stop_for === null ? begun(one, watcher) : runner.adopt({ run: row.run_id, boot: row.boot }, watcher)
    if (row.stop_for !== null) signal(one)
    else if (isShuttingDown) stop(one, 'shutdown')
  }

  /** A workload may have gone since its order was accepted: then there is nothing to start, which the runner is to say. */
  const begun = ({ row, orders }: Live, watcher: RunWatcher): RunHandle => {
    const work = workOf(orders)
    if (typeof work === 'string') return runner.adopt({ run: row.run_id, boot: deps.boot }, watcher)
    return runner.start({ run: row.run_id, ...work, env: { ...work.env, ...envOf(row) } }, watcher)
  }

  /** What an order starts, or why it cannot. An error is its own, and must keep no other order from being taken. */
  const workOf = (order: RunOrder): Work | string => {
    try {
      const work = deps.work(order) ?? { refused: 'no_such_workload' }
      return 'refused' in work ? work.refused : work
    } catch (error) {
      return `cannot_start: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  /** Nothing of it has begun, because the disk is full: it is accepted, so it begins when there is room. */
  const startLater = (one: Live): void => {
    runner.forget(one.row.run_id)
    clock.after(startAgainMs, () => {
      if (live.byId.get(one.row.run_id) === one) start(one, true)
    })
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
        live
          .change(one, () => {
            one.row = { ...one.row, state: 'running', started_mono: startedMono }
            journal.appendChange(changeOf(one.row, deps.controllerNow()))
          })
          .then(deps.wake, report)
      }
      startTimeout(one)
    },
    output: (stream, bytes) => {
      one.log.push(stream, bytes)
      hold(one)
    },
    event: (event) => {
      one.events ??= shelf.open(eventsOf(one.row.run_id), {})
      one.events.push('o', Buffer.from(`${JSON.stringify(event)}\n`))
    },
    say: (text) => {
      try {
        one.log.say(text)
      } catch (error) {
        // The events have it as well, and wait for room.
        report(error)
      }
    },
    approval: (change) => tellApproval(one, change),
    ended: (end) => finish(one, end),
    noRoom: () => startLater(one),
  })

  /** Somebody may have to answer: it is told until it is acknowledged. */
  const tellApproval = (one: Live, approval: ApprovalChange): void => {
    live
      .change(one, () => void journal.appendChange({ ...changeOf(one.row, deps.controllerNow()), approval }))
      .then(deps.wake, (error: unknown) => {
        report(error)
        clock.after(1000, () => tellApproval(one, approval))
      })
  }

  const finish = (one: Live, end: RunEnd): void => {
    one.timeout?.cancel()
    try {
      one.log.end()
      one.events?.end()
    } catch (error) {
      report(error)
      clock.after(1000, () => finish(one, end))
      return
    }
    let seq = 0
    live
      .change(one, () => {
        const result = endOfRun(end, one.row.stop_for, one.orders.options.timeout_seconds)
        one.row = {
          ...one.row,
          ...countsOf(one.log.state()),
          state: result.state,
          ended_at: deps.controllerNow(),
          result: JSON.stringify(result),
        }
        seq = journal.appendChange(
          changeOf(one.row, deps.controllerNow(), {
            ...result,
            log: logOf(one.row),
            ...(one.events ? { events: eventCountsOf(one.events.state()) } : {}),
          }),
        )
      })
      .then(
        () => {
          live.byId.delete(one.row.run_id)
          settlement.ended(one.row.run_id, seq)
          runner.forget(one.row.run_id)
          deps.wake()
          if (live.byId.size === 0) for (const call of idle.splice(0)) call()
        },
        (error: unknown) => {
          report(error)
          clock.after(1000, () => finish(one, end))
        },
      )
  }

  const ticking = every(clock, 1000, () => {
    stopGivenUp()
    settlement.settle()
    for (const one of live.byId.values()) hold(one)
    shelf.tidy()
  })
  const purging = every(clock, 3_600_000, () => {
    commits.run(() => journal.purge(deps.controllerNow() - rememberMs)).catch(report)
  })

  return {
    /** Takes up what an earlier daemon left: what ran is adopted, what was only accepted is started. `others` are runs that are not of tasks. */
    recover: (others: ReadonlySet<string>): void => {
      const open = journal.openRuns()
      shelf.recover((run) => {
        const row = journal.run(run)
        return row && (row.done === 1 ? null : (ordersOf(row).options ?? {}))
      })
      const known = new Set([...others, ...open.map((row) => row.run_id)])
      for (const left of runner.leftovers()) {
        if (known.has(left)) continue
        // Of a memory that is gone, or acknowledged long ago: it may not go on unseen.
        const handle = runner.adopt({ run: left, boot: deps.boot }, orphan(left))
        handle.stop(0)
      }
      for (const row of open) {
        if (isRunOver(row.state)) {
          reach(row)
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
            const found = isLate ? 'expired' : workOf(order)
            const isRefused = typeof found === 'string'
            const row = newRow({
              run: order.run,
              order,
              state: isRefused ? 'rejected' : 'accepted',
              boot: deps.boot,
              now: deps.controllerNow(),
              heardMono: sentMono - (order.silent_seconds ?? 0) * 1000,
            })
            const result = isRefused ? { reason: found } : {}
            journal.insertRun({ ...row, result: JSON.stringify(result) })
            const seq = journal.appendChange(changeOf(row, deps.controllerNow(), result))
            if (isRefused) settlement.ended(row.run_id, seq)
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
        const one = live.byId.get(run)
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

    /** Somebody has answered what an agent waits for. Of one that has ended there is nothing to answer. */
    answers: (answers: readonly (ApprovalAnswer & { run: string })[]): void => {
      for (const { run, ...answer } of answers) live.byId.get(run)?.handle?.answer?.(answer)
    },

    /** Of a run that is no task's: its agent waits, or has been answered. */
    tellApprovalOf: (run: string, approval: ApprovalChange): void => {
      const tell = (): void => {
        const change = { run, state: 'running' as const, at: instant(deps.controllerNow()), approval }
        commits
          .run(() => journal.appendChange(change))
          .then(deps.wake, (error: unknown) => {
            report(error)
            clock.after(1000, tell)
          })
      }
      tell()
    },

    /** Tells an agent something while it works. */
    tell: (run: string, text: string, by: string): Outcome<{ run: string }> => {
      const one = live.byId.get(run)
      if (!one) return refused('not_found', `no run "${run}" goes on here`)
      if (!one.handle?.tell) return refused('invalid', `run ${run} is no agent's: nobody there would listen`)
      return one.handle.tell(text, by)
        ? accepted({ run })
        : refused('conflict', `the agent of run ${run} does not listen any more`)
    },

    unwanted: (runs: readonly string[]): void => {
      for (const run of runs) {
        const one = live.byId.get(run)
        if (one) stop(one, 'superseded')
      }
    },

    logChanged: changed,
    running: (): string[] => [...live.byId.keys()],
    runs: () => [...live.byId.values()].map(({ row }) => ({ run: row.run_id, task: row.task_id, state: row.state })),
    wantsAnswer: (): boolean => [...live.byId.values()].some((one) => one.orders.given_up_after_seconds !== undefined),
    acknowledged: (stream: string): void => {
      settlement.settle()
      const one = live.byId.get(sourceOf(stream) ?? '')
      if (one) hold(one)
    },
    /** Ends every run within its grace; resolves when all have ended and are journalled. */
    shutdown: (): Promise<void> => {
      isShuttingDown = true
      for (const one of live.byId.values()) stop(one, 'shutdown')
      return live.byId.size === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))
    },
    /** Lets go without touching what runs. */
    release: (): void => {
      ticking.cancel()
      purging.cancel()
      for (const one of live.byId.values()) {
        one.timeout?.cancel()
        one.handle?.release()
      }
      live.byId.clear()
      idle = []
    },
  }

  /** A power cut may have taken of an ended run what it has told of: that is said, and the controller waits for nothing. */
  function reach(row: JournalRun): void {
    const { run_id, log_seq, lines, bytes } = row
    if (shelf.acked(run_id) >= log_seq) return
    try {
      shelf.open(run_id, ordersOf(row).options ?? {}).reach({ seq: log_seq, lines, bytes })
    } catch (error) {
      report(error)
    }
  }

  function orphan(run: string): RunWatcher {
    return { started: () => {}, output: () => {}, ended: () => runner.forget(run), noRoom: () => runner.forget(run) }
  }
}
export type Supervisor = ReturnType<typeof createSupervisor>
