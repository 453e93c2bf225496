import type { Db } from '../../base/database.ts'
import type { ApprovalState } from '../../schemas/agent-events.ts'

/** A request for permission as it is stored. Instants are milliseconds. */
export interface ApprovalRow {
  approval_id: string
  device: string
  run_id: string
  task_id: string | null
  state: ApprovalState
  tool: string
  title: string
  input: string
  requested_at: number
  expires_at: number
  verdict: 'approved' | 'rejected' | null
  decided_by: string | null
  decided_reason: string | null
  decided_at: number | null
}

export interface ApprovalFilter {
  state?: readonly string[] | undefined
  device?: string | undefined
  task_id?: string | undefined
  /** Asked for before the one with this instant and id. */
  before?: { at: number; id: string } | undefined
  limit: number
}

/** The table of requests for permission. */
export const createApprovals = (db: Db) => {
  const put = db.prepare<ApprovalRow>(`
    insert or replace into approval (approval_id, device, run_id, task_id, state, tool, title, input, requested_at, expires_at, verdict,
      decided_by, decided_reason, decided_at)
    values (@approval_id, @device, @run_id, @task_id, @state, @tool, @title, @input, @requested_at, @expires_at, @verdict,
      @decided_by, @decided_reason, @decided_at)`)
  const get = db.prepare<[string], ApprovalRow>('select * from approval where approval_id = ?')
  const pendingOf = db.prepare<[string], ApprovalRow>(`select * from approval where device = ? and state = 'pending'`)
  const pending = db.prepare<[], ApprovalRow>(`select * from approval where state = 'pending'`)
  const purge = db.prepare<[number]>(`delete from approval where requested_at < ? and state <> 'pending'`)

  return {
    get: (id: string): ApprovalRow | undefined => get.get(id),
    put: (row: ApprovalRow): void => {
      put.run(row)
    },
    /** Those of a device that the device has not ended. */
    pendingOf: (device: string): ApprovalRow[] => pendingOf.all(device),
    pending: (): ApprovalRow[] => pending.all(),
    /** Newest first. */
    list: ({ state, device, task_id: task, before, limit }: ApprovalFilter): ApprovalRow[] => {
      const where: string[] = []
      const values: unknown[] = []
      const add = (clause: string, ...given: unknown[]): void => {
        where.push(clause)
        values.push(...given)
      }
      if (state) add(`state in (${state.map(() => '?').join(', ')})`, ...state)
      if (device !== undefined) add('device = ?', device)
      if (task !== undefined) add('task_id = ?', task)
      if (before) add('(requested_at, approval_id) < (?, ?)', before.at, before.id)
      const clause = where.length === 0 ? '' : `where ${where.join(' and ')}`
      return db
        .prepare<unknown[], ApprovalRow>(`select * from approval ${clause} order by requested_at desc, approval_id desc limit ?`)
        .all(...values, limit)
    },
    /** Forgets those that have ended and were asked for before an instant. */
    purge: (before: number): void => {
      purge.run(before)
    },
  }
}
export type Approvals = ReturnType<typeof createApprovals>
