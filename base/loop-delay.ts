import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Closable } from './lifecycle.ts'
import type { Log } from './log.ts'

export interface DelayReport {
  p50_ms: number
  p99_ms: number
  max_ms: number
}

export interface LoopDelay extends Closable {
  /** What the loop's delay was in the last half minute to minute. */
  report(): DelayReport
}

export interface LoopDelayOptions {
  log: Log
  /** How often it looks: a step that holds the loop is seen but for at most this much of it. */
  everyMs?: number
  /** A step of this length is worth a warning. */
  warnMs?: number
  /** A loaded machine has many long steps: they are told together, at most this often. */
  warnEveryMs?: number
}

const windowMs = 30_000

/** Measures how late timers come: what a step that holds the event loop costs all others. */
export const startLoopDelay = ({ log, everyMs = 10, warnMs = 50, warnEveryMs = 10_000 }: LoopDelayOptions): LoopDelay => {
  // Two windows that overlap: the older one is read, so that a report never covers only the last moment.
  let older = createHistogram()
  let younger = createHistogram()
  let dueAt = performance.now() + everyMs
  let turnAt = dueAt + windowMs
  let quietUntil = 0
  let steps = 0
  let longestMs = 0

  const look = (): void => {
    const now = performance.now()
    const lateMs = Math.max(0, now - dueAt)
    dueAt = now + everyMs
    const micros = Math.max(1, Math.round(lateMs * 1000)) // a histogram takes no zero
    older.record(micros)
    younger.record(micros)
    if (now >= turnAt) {
      turnAt = now + windowMs
      older = younger
      younger = createHistogram()
    }
    if (lateMs > warnMs) {
      steps++
      longestMs = Math.max(longestMs, lateMs)
    }
    if (steps > 0 && now >= quietUntil) {
      log.warn({ longest_ms: Math.round(longestMs), steps }, 'a step held the event loop')
      quietUntil = now + warnEveryMs
      steps = 0
      longestMs = 0
    }
  }
  const timer = setInterval(look, everyMs)
  timer.unref()
  return {
    report: () => ({
      p50_ms: milliseconds(older, 50),
      p99_ms: milliseconds(older, 99),
      max_ms: older.count > 0 ? older.max / 1000 : 0,
    }),
    close: () => clearInterval(timer),
  }
}

const milliseconds = (histogram: RecordableHistogram, percentile: number): number =>
  histogram.count > 0 ? histogram.percentile(percentile) / 1000 : 0
