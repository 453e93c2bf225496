import type { Db } from '../../base/database.ts'
import type { RunState } from '../../schemas/run-states.ts'

/** A run as it is stored. Instants are milliseconds. */
export interface RunRow {
  run_id: string
  task_id: string
  attempt: number
  device: string
  journal: string | null
  lane: string
  tries: number
  state: RunState
  reason: string | null
  exit_code: number | null
  signal: string | null
  dispatched_at: number
  accepted_at: number | null
  started_at: number | null
  ended_at: number | null
  cancel_requested_at: number | null
  confirmed: number | null
  start_before: number | null
  log: string | null
  late: string | null
  /** What came of it, if it was an agent's; JSON. */
  agent: string | null
}

type NewRun = Pick<RunRow, 'run_id' | 'task_id' | 'attempt' | 'device' | 'journal' | 'lane' | 'tries' | 'dispatched_at'>

/** A run that has just been dispatched, but for what is given. */
export const newRun = (given: NewRun & Partial<RunRow>): RunRow => ({
  state: 'dispatched',
  reason: null,
  exit_code: null,
  signal: null,
  accepted_at: null,
  started_at: null,
  ended_at: null,
  cancel_requested_at: null,
  confirmed: null,
  start_before: null,
  log: null,
  late: null,
  agent: null,
  ...given,
})

export interface NoteRow {
  task_id: string
  run_id: string | null
  at: number
  state: string
  reason: string | null
}

/** What agents have used on one device with one model. */
export interface AgentUsage {
  device: string
  agent: string
  provider: string | null
  model: string | null
  currency: string | null
  runs: number
  succeeded: number
  turns: number
  tokens: number
  cost: number | null
}

/** The tables of runs and of notes about them. */
export const createRuns = (db: Db) => {
  // By place: to bind by name costs more than to store.
  const insert = db.prepare<unknown[]>(`
    insert into run (run_id, task_id, attempt, device, journal, lane, tries, state, reason, exit_code, signal, dispatched_at, accepted_at, started_at,
      ended_at, cancel_requested_at, confirmed, start_before, log, late)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const update = db.prepare<unknown[]>(`
    update run set state = ?, reason = ?, exit_code = ?, signal = ?, accepted_at = ?, started_at = ?, ended_at = ?,
      cancel_requested_at = ?, confirmed = ?, log = ?, late = ?, agent = ? where run_id = ?`)
  const byId = db.prepare<[string], RunRow>('select * from run where run_id = ?')
  const ofTask = db.prepare<[string], RunRow>('select * from run where task_id = ? order by attempt')
  const open = db.prepare<[], RunRow>('select * from run where ended_at is null or confirmed = 0')
  const note = db.prepare<NoteRow>(
    'insert into note (task_id, run_id, at, state, reason) values (@task_id, @run_id, @at, @state, @reason)',
  )
  const notes = db.prepare<[string], NoteRow>('select task_id, run_id, at, state, reason from note where task_id = ? order by n')

  // What an agent was told of is in its result; runs of which the device has not said anything have none.
  const usage = db.prepare<[number, number], AgentUsage>(`
    select device, agent ->> 'agent' as agent, agent ->> 'provider' as provider, agent ->> 'model' as model, agent ->> 'currency' as currency,
      count(*) as runs, sum(state = 'succeeded') as succeeded, sum(agent ->> 'turns') as turns, sum(agent ->> 'tokens') as tokens,
      sum(agent ->> 'cost') as cost
    from run where agent is not null and ended_at >= ? and ended_at < ?
    group by 1, 2, 3, 4, 5 order by tokens desc`)

  return {
    /** What agents have used in runs that ended from an instant on and before another, by device and model. */
    usage: (since: number, until: number): AgentUsage[] => usage.all(since, until),
    insert: (row: RunRow): void => {
      const { run_id, task_id, attempt, device, journal, lane, tries, state, reason, exit_code, signal } = row
      const { dispatched_at, accepted_at, started_at, ended_at, cancel_requested_at, confirmed, start_before, log, late } = row
      insert.run(
        ...[run_id, task_id, attempt, device, journal, lane, tries, state, reason, exit_code, signal],
        ...[dispatched_at, accepted_at, started_at, ended_at, cancel_requested_at, confirmed, start_before, log, late],
      )
    },
    update: (row: RunRow): void => {
      const {
        state,
        reason,
        exit_code,
        signal,
        accepted_at,
        started_at,
        ended_at,
        cancel_requested_at,
        confirmed,
        log,
        late,
        agent,
      } = row
      update.run(
        ...[state, reason, exit_code, signal, accepted_at, started_at, ended_at],
        ...[cancel_requested_at, confirmed, log, late, agent, row.run_id],
      )
    },
    get: (runId: string): RunRow | undefined => byId.get(runId),
    ofTask: (taskId: string): RunRow[] => ofTask.all(taskId),
    /** Runs that occupy a device, and cancelled ones whose processes may still be there. */
    open: (): RunRow[] => open.all(),
    note: (row: NoteRow): void => {
      note.run(row)
    },
    notes: (taskId: string): NoteRow[] => notes.all(taskId),
  }
}
export type Runs = ReturnType<typeof createRuns>
