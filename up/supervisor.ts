import type { ChildProcess } from 'node:child_process'
import { doublingMs } from '../base/backoff.ts'
import { type Clock, sleep, type Timer } from '../base/clock.ts'
import { exits } from '../base/exit-codes.ts'
import type { Log } from '../base/log.ts'
import { PartMessage } from '../base/parent.ts'
import type { PartPlan } from './parts.ts'

export interface Supervisor {
  /** Resolves when every part has said that it answers; with what they said, by name. */
  ready: Promise<ReadonlyMap<string, PartMessage>>
  /** Ends all parts in order: SIGTERM, and SIGKILL to what outlives its grace. */
  close(): Promise<void>
  /** No more patience: everything is told to end now, and killed two seconds later. */
  hurry(): void
}

interface Deps {
  plans: readonly PartPlan[]
  spawn: (plan: PartPlan) => ChildProcess
  clock: Clock
  log: Log
}

/** Keeps processes running: starts them rank by rank, and starts again what dies. */
export const startSupervisor = ({ plans, spawn, clock, log }: Deps): Supervisor => {
  const kept = new Map<PartPlan, KeptPart>()
  let closing: Promise<void> | undefined
  const ranks = [...new Set(plans.map((plan) => plan.rank))].sort((a, b) => a - b)

  const startAll = async (): Promise<ReadonlyMap<string, PartMessage>> => {
    const said = new Map<string, PartMessage>()
    for (const rank of [...ranks].reverse()) {
      if (closing) break
      const started = plans
        .filter((plan) => plan.rank === rank)
        .map((plan) => ({ plan, part: keepRunning(plan, spawn, clock, log) }))
      for (const { plan, part } of started) kept.set(plan, part)
      for (const { plan, part } of started) said.set(plan.name, await part.ready)
    }
    return said
  }

  const closeAll = async (): Promise<void> => {
    for (const rank of ranks) await Promise.all([...kept].filter(([plan]) => plan.rank === rank).map(([, part]) => part.stop()))
  }

  return {
    ready: startAll(),
    close: () => {
      closing ??= closeAll()
      return closing
    },
    hurry: () => {
      for (const part of kept.values()) part.hurry()
    },
  }
}

/** How long to wait before a part is started again: it doubles while starts are short-lived, and forgets once it lived for 10 s. */
export const restartAfter = (fails: number, livedMs: number): { fails: number; waitMs: number } => {
  const before = livedMs >= 10_000 ? 0 : fails
  return { fails: before + 1, waitMs: doublingMs(before, 50, 2000) }
}

const shortLifeMs = 200

interface KeptPart {
  ready: Promise<PartMessage>
  stop(): Promise<void>
  hurry(): void
}

const keepRunning = (plan: PartPlan, spawn: Deps['spawn'], clock: Clock, log: Log): KeptPart => {
  let child: ChildProcess | undefined
  let restart: Timer | undefined
  let fails = 0
  let isStopping = false
  let exited: Promise<void> = Promise.resolve()
  let tellReady: (message: PartMessage) => void = () => undefined
  const ready = new Promise<PartMessage>((resolve) => {
    tellReady = resolve
  })

  const start = (): void => {
    const startedAt = clock.mono()
    const process = spawn(plan)
    child = process
    process.on('message', (message) => {
      const read = PartMessage.safeParse(message)
      if (!read.success) return log.warn({ name: plan.name }, 'a part said something unknown')
      log.debug({ name: plan.name, ...read.data }, 'part is ready')
      tellReady(read.data)
    })
    exited = new Promise((resolve) => {
      const onEnd = (facts: { code?: number | null; signal?: string | null; error?: string }): void => {
        if (child !== process) return
        child = undefined
        resolve()
        if (isStopping) return
        if (facts.code === exits.endedOnRequest) {
          log.info({ name: plan.name }, 'a part has ended for good, as it was asked to')
          return tellReady({ kind: 'ready' })
        }
        const livedMs = clock.mono() - startedAt
        // One that does nothing but ask for the next is treated like one that dies.
        if (facts.code === exits.replaceMe && livedMs > shortLifeMs) {
          log.info({ name: plan.name }, 'a part is replaced by a new one')
          return start()
        }
        const next = restartAfter(fails, livedMs)
        fails = next.fails
        log.warn({ name: plan.name, ...facts, again_in_ms: next.waitMs }, 'a part has ended and is started again')
        restart = clock.after(next.waitMs, start)
      }
      process.once('exit', (code, signal) => onEnd({ code, signal }))
      // Raised for a process that could not be started at all; such a one never exits.
      process.on('error', (error) => (process.pid === undefined ? onEnd({ error: error.message }) : undefined))
    })
  }
  start()

  const killAfter = async (ms: number): Promise<void> => {
    const gone = new AbortController()
    void exited.then(() => gone.abort())
    await sleep(clock, ms, gone.signal)
    if (child) {
      log.warn({ name: plan.name, waited_ms: ms }, 'a part did not end in time and is killed')
      child.kill('SIGKILL')
    }
    await exited
  }

  return {
    ready,
    stop: () => {
      isStopping = true
      restart?.cancel()
      child?.kill('SIGTERM')
      return killAfter(plan.graceMs)
    },
    hurry: () => {
      isStopping = true
      restart?.cancel()
      child?.kill('SIGTERM')
      void killAfter(2000)
    },
  }
}
