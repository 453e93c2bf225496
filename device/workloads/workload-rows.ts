import type { Db } from '../../base/database.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { WorkloadState } from '../../schemas/workload-status.ts'

/** A workload as the journal keeps it. Instants are milliseconds since 1970. */
export interface WorkloadRow {
  name: string
  origin: string
  file: string | null
  spec: string
  digest: string
  applied_at: number
  is_wanted: number
  state: WorkloadState
  reason: string | null
  run_count: number
  successes: number
  failures: number
  recent: string
  retry_at: number | null
  retry_mono: number | null
  retry_boot: string | null
  last_slot: number | null
  last_exit_code: number | null
  last_error: string | null
  last_started_at: number | null
  last_ended_at: number | null
}

export type RunCause = 'start' | 'restart' | 'firing' | 'missed' | 'manual'
export type WorkloadStopReason =
  | 'stopped'
  | 'restart'
  | 'changed'
  | 'removed'
  | 'timed_out'
  | 'oom'
  | 'unhealthy'
  | 'replaced'
  | 'shutdown'

/** One run of a workload as the journal keeps it. */
export interface WorkloadRunRow {
  run_id: string
  workload: string
  cause: RunCause
  slot: number | null
  state: 'accepted' | 'running' | 'succeeded' | 'failed' | 'timed_out' | 'stopped'
  stop_for: WorkloadStopReason | null
  reason: string | null
  exit_code: number | null
  signal: string | null
  boot: string
  /** Stored as later than that of the run before it, whatever the clock shows: it is their order. */
  accepted_at: number
  started_at: number | null
  started_mono: number | null
  ended_at: number | null
}

/** The spec of a row; it was checked when it was stored. */
export const specOf = (row: WorkloadRow): WorkloadSpec => JSON.parse(row.spec) as WorkloadSpec // stored from a WorkloadSpec

/** So many runs of each workload are remembered; those that stand for a firing longer, since a clock may be put back. */
const keptRuns = 200
const keptFirings = 5000

/** The tables of workloads. Nothing here commits: callers group what belongs together. */
export const createWorkloadRows = (db: Db) => {
  const all = db.prepare<[], WorkloadRow>('select * from workload order by name')
  const put = db.prepare<WorkloadRow>(`
    insert or replace into workload (name, origin, file, spec, digest, applied_at, is_wanted, state, reason, run_count, successes, failures, recent,
      retry_at, retry_mono, retry_boot, last_slot, last_exit_code, last_error, last_started_at, last_ended_at)
    values (@name, @origin, @file, @spec, @digest, @applied_at, @is_wanted, @state, @reason, @run_count, @successes, @failures, @recent,
      @retry_at, @retry_mono, @retry_boot, @last_slot, @last_exit_code, @last_error, @last_started_at, @last_ended_at)`)
  const remove = db.prepare<[string]>('delete from workload where name = ?')
  const sources = db.prepare<[], { path: string }>('select path from workload_source order by path')
  const putSource = db.prepare<[string]>('insert or ignore into workload_source (path) values (?)')
  const dropSource = db.prepare<[string]>('delete from workload_source where path = ?')
  const putRun = db.prepare<WorkloadRunRow>(`
    insert into workload_run (run_id, workload, cause, slot, state, stop_for, reason, exit_code, signal, boot, accepted_at, started_at,
      started_mono, ended_at)
    values (@run_id, @workload, @cause, @slot, @state, @stop_for, @reason, @exit_code, @signal, @boot,
      max(@accepted_at, coalesce((select max(accepted_at) + 1 from workload_run where workload = @workload), 0)),
      @started_at, @started_mono, @ended_at)
    on conflict (run_id) do update set state = excluded.state, stop_for = excluded.stop_for, reason = excluded.reason,
      exit_code = excluded.exit_code, signal = excluded.signal, boot = excluded.boot, started_at = excluded.started_at,
      started_mono = excluded.started_mono, ended_at = excluded.ended_at`)
  const openRuns = db.prepare<[], WorkloadRunRow>('select * from workload_run where ended_at is null order by accepted_at')
  const isClaimed = db.prepare<[string, number], unknown>('select 1 from workload_run where workload = ? and slot = ?')
  const history = db.prepare<[string, number], WorkloadRunRow>(
    'select * from workload_run where workload = ? order by accepted_at desc, run_id desc limit ?',
  )
  const purge = db.prepare<{ workload: string; kept: number; firings: number }>(`
    delete from workload_run where workload = @workload and ended_at is not null
      and run_id not in (select run_id from workload_run where workload = @workload order by accepted_at desc, run_id desc limit @kept)
      and run_id not in (select run_id from workload_run where workload = @workload and slot is not null
        order by accepted_at desc, run_id desc limit @firings)`)
  const isRemoving = db.prepare<[string], unknown>(`select 1 from workload_run where run_id = ? and stop_for = 'removed'`)
  const dropRuns = db.prepare<[string]>('delete from workload_run where workload = ?')

  return {
    all: (): WorkloadRow[] => all.all(),
    put: (row: WorkloadRow): void => void put.run(row),
    /** With its runs. */
    remove: (name: string): void => {
      remove.run(name)
      dropRuns.run(name)
    },
    sources: (): string[] => sources.all().map((one) => one.path),
    putSource: (path: string): void => void putSource.run(path),
    dropSource: (path: string): void => void dropSource.run(path),
    putRun: (row: WorkloadRunRow): void => void putRun.run(row),
    openRuns: (): WorkloadRunRow[] => openRuns.all(),
    /** Whether its workload goes when this run has ended. */
    isRemoving: (runId: string): boolean => isRemoving.get(runId) !== undefined,
    isClaimed: (workload: string, slot: number): boolean => isClaimed.get(workload, slot) !== undefined,
    /** Newest first. */
    history: (workload: string, limit: number): WorkloadRunRow[] => history.all(workload, limit),
    /** Inside a transaction. */
    purge: (workload: string): void => void purge.run({ workload, kept: keptRuns, firings: keptFirings }),
  }
}
export type WorkloadRows = ReturnType<typeof createWorkloadRows>
