import type { Db } from '../../base/database.ts'
import type { TaskInput } from '../../schemas/task.ts'
import type { TaskState, TerminalTaskState } from '../../schemas/task-states.ts'

/** A task as it is stored. Instants are milliseconds. */
export interface TaskRow {
  n: number
  task_id: string
  state: TaskState
  reason: string | null
  type: string
  rank: number
  source: string
  requested_by: string
  repository: string | null
  target_device: string | null
  device: string | null
  body: string
  idempotency_key: string | null
  fingerprint: string
  retry_of: string | null
  attempt: number
  open: number
  worst: TerminalTaskState | null
  exit_code: number | null
  created_at: number
  started_at: number | null
  ended_at: number | null
  cancel_requested_at: number | null
}

type NewTask = Pick<
  TaskRow,
  'task_id' | 'type' | 'rank' | 'source' | 'requested_by' | 'body' | 'fingerprint' | 'open' | 'created_at'
>

/** A task of which nothing has happened yet, but for what is given. */
export const newTask = (given: NewTask & Partial<TaskRow>): Omit<TaskRow, 'n'> => ({
  state: 'queued',
  reason: null,
  repository: null,
  target_device: null,
  device: null,
  idempotency_key: null,
  retry_of: null,
  attempt: 0,
  worst: null,
  exit_code: null,
  started_at: null,
  ended_at: null,
  cancel_requested_at: null,
  ...given,
})

/** The task as its author wrote it; it was checked when it came in. */
export const bodyOf = (row: TaskRow): TaskInput => JSON.parse(row.body) as TaskInput // stored from a TaskInput

export interface TaskFilter {
  state?: readonly string[] | undefined
  type?: readonly string[] | undefined
  rank?: readonly number[] | undefined
  source?: string | undefined
  requested_by?: string | undefined
  device?: string | undefined
  repository?: string | undefined
  tag?: string | undefined
  since?: number | undefined
  until?: number | undefined
  before?: number | undefined
  limit: number
}

/** The table of tasks. */
export const createTasks = (db: Db) => {
  const insert = db.prepare<Omit<TaskRow, 'n'>>(`
    insert into task (task_id, state, reason, type, rank, source, requested_by, repository, target_device, device, body, idempotency_key,
      fingerprint, retry_of, attempt, open, worst, exit_code, created_at, started_at, ended_at, cancel_requested_at)
    values (@task_id, @state, @reason, @type, @rank, @source, @requested_by, @repository, @target_device, @device, @body, @idempotency_key,
      @fingerprint, @retry_of, @attempt, @open, @worst, @exit_code, @created_at, @started_at, @ended_at, @cancel_requested_at)`)
  const update = db.prepare<TaskRow>(`
    update task set state = @state, reason = @reason, device = @device, attempt = @attempt, open = @open, worst = @worst, exit_code = @exit_code,
      started_at = @started_at, ended_at = @ended_at, cancel_requested_at = @cancel_requested_at where n = @n`)
  const byId = db.prepare<[string], TaskRow>('select * from task where task_id = ?')
  const byKey = db.prepare<[string, string], TaskRow>('select * from task where requested_by = ? and idempotency_key = ?')
  const tag = db.prepare<[string, number]>('insert or ignore into task_tag (tag, n) values (?, ?)')
  const counts = db.prepare<[], { state: string; count: number }>('select state, count(*) as count from task group by state')

  return {
    insert: (row: Omit<TaskRow, 'n'>, tags: readonly string[]): TaskRow => {
      const n = Number(insert.run(row).lastInsertRowid)
      for (const one of tags) tag.run(one, n)
      return { ...row, n }
    },
    update: (row: TaskRow): void => {
      update.run(row)
    },
    get: (taskId: string): TaskRow | undefined => byId.get(taskId),
    byKey: (requestedBy: string, key: string): TaskRow | undefined => byKey.get(requestedBy, key),
    counts: (): Record<string, number> => Object.fromEntries(counts.all().map((one) => [one.state, one.count])),
    /** Newest first. */
    list: (filter: TaskFilter): TaskRow[] => {
      const where: string[] = []
      const values: unknown[] = []
      const add = (clause: string, ...params: unknown[]) => {
        where.push(clause)
        values.push(...params)
      }
      const oneOf = (column: string, list: readonly unknown[]) => add(`${column} in (${list.map(() => '?').join(', ')})`, ...list)
      if (filter.state) oneOf('state', filter.state)
      if (filter.type) oneOf('type', filter.type)
      if (filter.rank) oneOf('rank', filter.rank)
      if (filter.source !== undefined) add('source = ?', filter.source)
      if (filter.requested_by !== undefined) add('requested_by = ?', filter.requested_by)
      if (filter.device !== undefined)
        add('(target_device = ? or task_id in (select task_id from run where device = ?))', filter.device, filter.device)
      if (filter.repository !== undefined) add('repository = ?', filter.repository)
      if (filter.tag !== undefined) add('n in (select n from task_tag where tag = ?)', filter.tag)
      if (filter.since !== undefined) add('created_at >= ?', filter.since)
      if (filter.until !== undefined) add('created_at < ?', filter.until)
      if (filter.before !== undefined) add('n < ?', filter.before)
      const clause = where.length > 0 ? `where ${where.join(' and ')}` : ''
      return db.prepare<unknown[], TaskRow>(`select * from task ${clause} order by n desc limit ?`).all(...values, filter.limit)
    },
  }
}
export type Tasks = ReturnType<typeof createTasks>
