import { randomUUID } from 'node:crypto'
import type { Db } from '../base/database.ts'
import { openDatabase } from '../base/database.ts'
import type { RunChange, RunOrder } from '../schemas/exchange.ts'
import type { LogRecord } from '../schemas/log.ts'
import first from './migrations/001.sql'

export type StopReason = 'cancelled' | 'timed_out' | 'given_up' | 'superseded' | 'shutdown'

/** A run as its device remembers it. */
export interface JournalRun {
  run_id: string
  task_id: string | null
  attempt: number
  state: RunChange['state']
  orders: string
  boot: string
  accepted_at: number
  heard_mono: number
  started_mono: number | null
  ended_at: number | null
  result: string | null
  stop_for: StopReason | null
  out_bytes: number
  err_bytes: number
  log_seq: number
  lines: number
  bytes: number
  dropped_lines: number
  dropped_bytes: number
  over_lines: number
  over_bytes: number
  done: number
}

export interface JournalRecord {
  seq: number
  first: number
  lines: number
  bytes: number
  body: string
}

/** The orders of a run; they were checked when they came. */
export const ordersOf = (run: JournalRun): RunOrder => JSON.parse(run.orders) as RunOrder // stored from a RunOrder

export const openJournal = (file: string) => createJournal(openDatabase(file, [{ number: 1, sql: first }], { exclusive: true }))

/**
 * The device's memory: runs, and numbered streams of what the controller has not acknowledged. It does not commit: callers group
 * what belongs together.
 */
export const createJournal = (db: Db) => {
  const getMeta = db.prepare<[string], { value: string }>('select value from meta where key = ?')
  const setMeta = db.prepare<[string, string]>(
    'insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
  )
  const meta = (key: string): string | undefined => getMeta.get(key)?.value
  const number = (key: string): number => Number(meta(key) ?? 0)

  const insertRun = db.prepare<JournalRun>(`
    insert into run (run_id, task_id, attempt, state, orders, boot, accepted_at, heard_mono, started_mono, ended_at, result, stop_for, out_bytes, err_bytes, log_seq,
      lines, bytes, dropped_lines, dropped_bytes, over_lines, over_bytes, done)
    values (@run_id, @task_id, @attempt, @state, @orders, @boot, @accepted_at, @heard_mono, @started_mono, @ended_at, @result, @stop_for, @out_bytes, @err_bytes,
      @log_seq, @lines, @bytes, @dropped_lines, @dropped_bytes, @over_lines, @over_bytes, @done)`)
  const updateRun = db.prepare<JournalRun>(`
    update run set state = @state, boot = @boot, started_mono = @started_mono, ended_at = @ended_at, result = @result, stop_for = @stop_for, out_bytes = @out_bytes,
      err_bytes = @err_bytes, log_seq = @log_seq, lines = @lines, bytes = @bytes, dropped_lines = @dropped_lines,
      dropped_bytes = @dropped_bytes, over_lines = @over_lines, over_bytes = @over_bytes, done = @done where run_id = @run_id`)
  const getRun = db.prepare<[string], JournalRun>('select * from run where run_id = ?')
  const openRuns = db.prepare<[], JournalRun>('select * from run where done = 0')
  const purgeRuns = db.prepare<[number]>('delete from run where done = 1 and ended_at < ?')
  const purgeStreams = db.prepare(`delete from stream where name like 'log:%' and acked = last
    and not exists (select 1 from run where 'log:' || run_id = stream.name)`)

  const getStream = db.prepare<[string], { last: number; acked: number }>('select last, acked from stream where name = ?')
  const putStream = db.prepare<[string, number, number]>(
    'insert into stream (name, last, acked) values (?, ?, ?) on conflict (name) do update set last = excluded.last, acked = excluded.acked',
  )
  const openStreams = db.prepare<[], { name: string; last: number; acked: number }>(
    'select name, last, acked from stream where acked < last',
  )
  const put = db.prepare<[string, number, number, number, number, number, string]>(
    'insert or replace into record (stream, seq, first, lines, bytes, size, body) values (?, ?, ?, ?, ?, ?, ?)',
  )
  const drop = db.prepare<[string, number]>('delete from record where stream = ? and seq <= ?')
  const after = db.prepare<[string, number, number], JournalRecord>(
    'select seq, first, lines, bytes, body from record where stream = ? and seq > ? order by seq limit ?',
  )
  const logBytes = db.prepare<[], { bytes: number | null }>(`select sum(size) as bytes from record where stream like 'log:%'`)
  const streamBytes = db.prepare<[string], { bytes: number | null }>('select sum(size) as bytes from record where stream = ?')
  const largest = db.prepare<[], { stream: string }>(
    `select stream from record where stream like 'log:%' group by stream order by sum(size) desc limit 1`,
  )
  const oldest = db.prepare<[string], JournalRecord>(
    'select seq, first, lines, bytes, body from record where stream = ? order by seq limit 64',
  )
  const unsentOf = db.prepare<[string], { body: string }>(
    `select body from record where stream = 'runs' and body like '%"' || ? || '"%'`,
  )

  if (meta('journal') === undefined) {
    setMeta.run('journal', randomUUID())
    setMeta.run('session', '0')
  }
  const id = meta('journal') ?? ''
  const streams = new Map<string, { last: number; acked: number }>()
  const stream = (name: string): { last: number; acked: number } => {
    let known = streams.get(name)
    if (!known) {
      known = getStream.get(name) ?? { last: 0, acked: 0 }
      streams.set(name, known)
    }
    return known
  }
  const save = (name: string, state: { last: number; acked: number }): void => {
    streams.set(name, state)
    putStream.run(name, state.last, state.acked)
  }

  return {
    db,
    id,
    session: (): number => number('session'),
    /** Counts a connect; written before it is used. */
    nextSession: (): number => {
      const session = number('session') + 1
      setMeta.run('session', String(session))
      return session
    },
    epoch: (): number => number('epoch'),
    setEpoch: (epoch: number): void => {
      setMeta.run('epoch', String(epoch))
    },
    heardMono: (): number => number('heard_mono'),
    setHeardMono: (mono: number): void => {
      setMeta.run('heard_mono', String(mono))
    },

    run: (runId: string): JournalRun | undefined => getRun.get(runId),
    insertRun: (run: JournalRun): void => {
      insertRun.run(run)
    },
    updateRun: (run: JournalRun): void => {
      updateRun.run(run)
    },
    /** Runs of which the controller has not acknowledged everything. */
    openRuns: (): JournalRun[] => openRuns.all(),
    /** Forgets what ended before `at`: no command of that age is obeyed any more. */
    purge: (at: number): void => {
      purgeRuns.run(at)
      purgeStreams.run()
      streams.clear()
    },

    stream: (name: string): Readonly<{ last: number; acked: number }> => stream(name),
    openStreams: () => openStreams.all(),
    /** Numbers a change of a run and keeps it until it is acknowledged. Gives its number. */
    appendChange: (change: Omit<RunChange, 'seq'>): number => {
      const { last, acked } = stream('runs')
      const seq = last + 1
      const body = JSON.stringify({ seq, ...change })
      put.run('runs', seq, seq, 0, 0, Buffer.byteLength(body), body)
      save('runs', { last: seq, acked })
      return seq
    },
    /** Keeps numbered records, as JSON, as one chunk of a log. */
    appendLog: (run: string, chunk: JournalRecord): void => {
      const name = `log:${run}`
      const { acked } = stream(name)
      put.run(name, chunk.seq, chunk.first, chunk.lines, chunk.bytes, Buffer.byteLength(chunk.body), chunk.body)
      save(name, { last: chunk.seq, acked })
    },
    /** The controller has all up to `seq`. An older or impossible word changes nothing. */
    acknowledge: (name: string, seq: number): boolean => {
      const { last, acked } = stream(name)
      if (seq <= acked || seq > last) return false
      drop.run(name, seq)
      save(name, { last, acked: seq })
      return true
    },
    records: (name: string, afterSeq: number, limit: number): JournalRecord[] => after.all(name, afterSeq, limit),
    /** A commit has failed: what was remembered of it is void. */
    forgetUncommitted: (): void => streams.clear(),
    hasUnacknowledgedChange: (runId: string): boolean => unsentOf.get(runId) !== undefined,

    logBytes: (): number => logBytes.get()?.bytes ?? 0,
    unacknowledgedBytes: (name: string): number => streamBytes.get(name)?.bytes ?? 0,
    /** Drops the oldest part of the largest log; one record in its place counts what is gone. Says how many bytes that freed. */
    shed: (now: number): number => {
      const name = largest.get()?.stream
      if (name === undefined) return 0
      const rows = oldest.all(name)
      const head = rows[0]
      const tail = rows.at(-1)
      if (!head || !tail || rows.length < 2) return 0
      let lines = 0
      let bytes = 0
      for (const row of rows) {
        const before = droppedIn(row.body)
        lines += row.lines + before.lines
        bytes += row.bytes + before.bytes
      }
      const marker: LogRecord = [
        tail.seq,
        now,
        's',
        { dropped: { from: head.first, to: tail.seq, lines, bytes, reason: 'spool_full' } },
      ]
      const body = JSON.stringify([marker])
      drop.run(name, tail.seq)
      put.run(name, tail.seq, head.first, 0, 0, Buffer.byteLength(body), body)
      return rows.reduce((sum, row) => sum + Buffer.byteLength(row.body), 0) - Buffer.byteLength(body)
    },
    close: (): void => {
      db.close()
    },
  }
}
export type Journal = ReturnType<typeof createJournal>

/** What the records of a chunk have counted as dropped: by an earlier shedding, or of a line that was too long. */
const droppedIn = (body: string): { lines: number; bytes: number } => {
  const sum = { lines: 0, bytes: 0 }
  // Within a text the quotes would be escaped.
  if (!body.includes('"dropped"')) return sum
  for (const [, , , text] of JSON.parse(body) as LogRecord[]) {
    // written by the run's log, or above
    if (typeof text === 'string' || !('dropped' in text)) continue
    sum.lines += text.dropped.lines
    sum.bytes += text.dropped.bytes
  }
  return sum
}
