import { randomUUID } from 'node:crypto'
import { openSound } from '../base/damage.ts'
import type { Db } from '../base/database.ts'
import { openDatabase } from '../base/database.ts'
import type { RunChange, RunOrder } from '../schemas/exchange.ts'
import first from './migrations/001.sql'
import spool from './migrations/002.sql'
import workloads from './migrations/003.sql'
import retries from './migrations/004.sql'
import releases from './migrations/005.sql'

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
  log_seq: number
  lines: number
  bytes: number
  dropped_lines: number
  dropped_bytes: number
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

/** So many numbers of reports are stored at a time. */
const reportedBlock = 1000

export const journalMigrations = [
  { number: 1, sql: first },
  { number: 2, sql: spool },
  { number: 3, sql: workloads },
  { number: 4, sql: retries },
  { number: 5, sql: releases },
]

export const openJournal = (file: string) => createJournal(openDatabase(file, journalMigrations, { exclusive: true }))

/** Opens the journal; a broken one is set aside, and the device begins with a new memory, which the controller is told by its name. */
export const openSoundJournal = (file: string, now: number) => {
  const { db, damage } = openSound(file, journalMigrations, { exclusive: true, now })
  return { journal: createJournal(db), damage }
}

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
    insert into run (run_id, task_id, attempt, state, orders, boot, accepted_at, heard_mono, started_mono, ended_at, result, stop_for, log_seq,
      lines, bytes, dropped_lines, dropped_bytes, done)
    values (@run_id, @task_id, @attempt, @state, @orders, @boot, @accepted_at, @heard_mono, @started_mono, @ended_at, @result, @stop_for,
      @log_seq, @lines, @bytes, @dropped_lines, @dropped_bytes, @done)`)
  const updateRun = db.prepare<JournalRun>(`
    update run set state = @state, boot = @boot, started_mono = @started_mono, ended_at = @ended_at, result = @result, stop_for = @stop_for,
      log_seq = @log_seq, lines = @lines, bytes = @bytes, dropped_lines = @dropped_lines,
      dropped_bytes = @dropped_bytes, done = @done where run_id = @run_id`)
  const getRun = db.prepare<[string], JournalRun>('select * from run where run_id = ?')
  const openRuns = db.prepare<[], JournalRun>('select * from run where done = 0')
  const purgeRuns = db.prepare<[number]>('delete from run where done = 1 and ended_at < ?')
  const purgeStreams = db.prepare(`delete from stream where (name like 'log:%' or name like 'agent:%') and acked = last
    and not exists (select 1 from run where run_id = substr(stream.name, instr(stream.name, ':') + 1))`)

  const getStream = db.prepare<[string], { last: number; acked: number }>('select last, acked from stream where name = ?')
  const putStream = db.prepare<[string, number, number]>(
    'insert into stream (name, last, acked) values (?, ?, ?) on conflict (name) do update set last = excluded.last, acked = excluded.acked',
  )
  const put = db.prepare<[string, number, number, number, number, number, string]>(
    'insert or replace into record (stream, seq, first, lines, bytes, size, body) values (?, ?, ?, ?, ?, ?, ?)',
  )
  const drop = db.prepare<[string, number]>('delete from record where stream = ? and seq <= ?')
  const after = db.prepare<[string, number, number], JournalRecord>(
    'select seq, first, lines, bytes, body from record where stream = ? and seq > ? order by seq limit ?',
  )
  const unsentOf = db.prepare<[string], { body: string }>(
    `select body from record where stream = 'runs' and body like '%"' || ? || '"%'`,
  )

  if (meta('journal') === undefined) {
    setMeta.run('journal', randomUUID())
    setMeta.run('session', '0')
  }
  const id = meta('journal') ?? ''
  let reported = number('reported')
  /** Up to here the numbers are this daemon's: the next one begins behind them. */
  let reservedTo = reported
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
    /** The highest epoch that was seen, and how the controller signed it. */
    setEpoch: (epoch: number, proof: unknown): void => {
      setMeta.run('epoch', String(epoch))
      setMeta.run('epoch_proof', JSON.stringify(proof ?? null))
    },
    epochProof: (): unknown => JSON.parse(meta('epoch_proof') ?? 'null'),
    /** Thumbprints of the controller keys that the last welcome named, and by what others were pinned then. */
    controllerKeys: (): { kids: string[]; by: string | undefined } => ({
      kids: meta('controller_keys')?.split(' ') ?? [],
      by: meta('controller_keys_by'),
    }),
    setControllerKeys: (kids: readonly string[], by: string): void => {
      setMeta.run('controller_keys', kids.join(' '))
      setMeta.run('controller_keys_by', by)
    },
    heardMono: (): number => number('heard_mono'),
    setHeardMono: (mono: number): void => {
      setMeta.run('heard_mono', String(mono))
    },

    /** A number that rises with every call, also through restarts: a block of them is stored before any of it is used. */
    nextReported: (): number => {
      reported++
      if (reported > reservedTo) {
        reservedTo = reported + reportedBlock
        setMeta.run('reported', String(reservedTo))
      }
      return reported
    },
    /** The latest time that was seen on a wall clock that was trusted. */
    clockSeen: (): number | null => (meta('clock_seen') === undefined ? null : number('clock_seen')),
    setClockSeen: (at: number): void => void setMeta.run('clock_seen', String(at)),

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
    /** Numbers a change of a run and keeps it until it is acknowledged. Gives its number. */
    appendChange: (change: Omit<RunChange, 'seq'>): number => {
      const { last, acked } = stream('runs')
      const seq = last + 1
      const body = JSON.stringify({ seq, ...change })
      put.run('runs', seq, seq, 0, 0, Buffer.byteLength(body), body)
      save('runs', { last: seq, acked })
      return seq
    },
    /** How far the controller has a log; its records lie in the spool. */
    setAcked: (name: string, seq: number): void => save(name, { last: seq, acked: seq }),
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

    close: (): void => {
      db.close()
    },
  }
}
export type Journal = ReturnType<typeof createJournal>
