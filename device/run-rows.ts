import type { RunChange, RunLog, RunOrder } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { isRunOver } from '../schemas/run-states.ts'
import type { JournalRun } from './journal.ts'
import type { LogState } from './logs/numbering.ts'

export interface NewRow {
  run: string
  /** None for a cancel that came before its run. */
  order: RunOrder | null
  state: RunChange['state']
  boot: string
  /** The controller's clock, milliseconds. */
  now: number
  heardMono: number
}

/** A row for what has just come as an order or a cancel; it was never heard of before. */
export const newRow = ({ run, order, state, boot, now, heardMono }: NewRow): JournalRun => ({
  run_id: run,
  task_id: order?.task ?? null,
  attempt: order?.attempt ?? 0,
  state,
  orders: JSON.stringify(order ?? {}),
  boot,
  accepted_at: now,
  heard_mono: Math.round(heardMono),
  started_mono: null,
  ended_at: isRunOver(state) ? now : null,
  result: null,
  stop_for: null,
  log_seq: 0,
  lines: 0,
  bytes: 0,
  dropped_lines: 0,
  dropped_bytes: 0,
  done: 0,
})

/** What is told of a run as its row stands. */
export const changeOf = (row: JournalRun, now: number, more: Partial<RunChange> = {}): Omit<RunChange, 'seq'> => ({
  run: row.run_id,
  ...(row.task_id !== null ? { task: row.task_id } : {}),
  state: row.state,
  at: instant(row.ended_at ?? now),
  ...more,
})

/** What a run's log has come to, as its row keeps it. */
export const countsOf = ({ seq: log_seq, lines, bytes, dropped_lines, dropped_bytes }: LogState) => ({
  log_seq,
  lines,
  bytes,
  dropped_lines,
  dropped_bytes,
})

/** How much output a run had. */
export const logOf = ({ log_seq: last_seq, lines, bytes, dropped_lines, dropped_bytes }: JournalRun): RunLog => ({
  last_seq,
  lines,
  bytes,
  dropped_lines,
  dropped_bytes,
})

/** How many events a run had. */
export const eventCountsOf = ({ seq: last_seq, lines, bytes, dropped_lines, dropped_bytes }: LogState): RunLog => ({
  last_seq,
  lines,
  bytes,
  dropped_lines,
  dropped_bytes,
})
