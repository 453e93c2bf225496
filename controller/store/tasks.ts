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
  // Written out: one shape for all rows, made in one go, is what the engine is quick with.
  task_id: given.task_id,
  state: given.state ?? 'queued',
  reason: given.reason ?? null,
  type: given.type,
  rank: given.rank,
  source: given.source,
  requested_by: given.requested_by,
  repository: given.repository ?? null,
  target_device: given.target_device ?? null,
  device: given.device ?? null,
  body: given.body,
  idempotency_key: given.idempotency_key ?? null,
  fingerprint: given.fingerprint,
  retry_of: given.retry_of ?? null,
  attempt: given.attempt ?? 0,
  open: given.open,
  worst: given.worst ?? null,
  exit_code: given.exit_code ?? null,
  created_at: given.created_at,
  started_at: given.started_at ?? null,
  ended_at: given.ended_at ?? null,
  cancel_requested_at: given.cancel_requested_at ?? null,
})

/** The task as its author wrote it; it was checked when it came in. To be read only: those who ask next get the same object. */
export const bodyOf = (row: TaskRow): TaskInput => {
  const known = bodies.get(row.body)
  if (known) return known
  const body = JSON.parse(row.body) as TaskInput // stored from a TaskInput
  if (row.body.length <= keptBodyLength) {
    if (bodies.size >= keptBodies) bodies.clear()
    bodies.set(row.body, body)
  }
  return body
}

/** A task is asked for its body several times in its life, and many have the same one. */
const bodies = new Map<string, TaskInput>()
const keptBodies = 1024
const keptBodyLength = 4096
/** So many open tasks are kept at hand. */
const keptTasks = 4096

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
  // By place: to bind by name costs more than to store.
  const insert = db.prepare<unknown[]>(`
    insert into task (task_id, state, reason, type, rank, source, requested_by, repository, target_device, device, body, idempotency_key,
      fingerprint, retry_of, attempt, open, worst, exit_code, created_at, started_at, ended_at, cancel_requested_at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const update = db.prepare<unknown[]>(`
    update task set state = ?, reason = ?, device = ?, attempt = ?, open = ?, worst = ?, exit_code = ?,
      started_at = ?, ended_at = ?, cancel_requested_at = ? where n = ?`)
  const byId = db.prepare<[string], TaskRow>('select * from task where task_id = ?')
  const byKey = db.prepare<[string, string], TaskRow>('select * from task where requested_by = ? and idempotency_key = ?')
  const tag = db.prepare<[string, number]>('insert or ignore into task_tag (tag, n) values (?, ?)')
  // Each half has an index that covers it; the tasks themselves are not read.
  const counts = db.prepare<[], { state: string; count: number }>(`
    select state, count(*) as count from task where ended_at is null group by state union all
    select state, count(*) as count from task where ended_at is not null group by state`)

  /** Tasks that were seen lately and have not ended: their next change is near. The store has one writer, so they are as stored. */
  const open = new Map<string, TaskRow>()
  const keep = (row: TaskRow): TaskRow => {
    if (row.ended_at !== null || row.body.length > keptBodyLength) open.delete(row.task_id)
    else {
      if (open.size >= keptTasks && !open.has(row.task_id)) open.clear()
      open.set(row.task_id, row)
    }
    return row
  }

  return {
    /** The row becomes the stored one: it gets its number. */
    insert: (row: Omit<TaskRow, 'n'>, tags: readonly string[]): TaskRow => {
      const { task_id, state, reason, type, rank, source, requested_by, repository, target_device, device, body } = row
      const { idempotency_key, fingerprint, retry_of, attempt, open, worst, exit_code } = row
      const { created_at, started_at, ended_at, cancel_requested_at } = row
      const stored = insert.run(
        ...[task_id, state, reason, type, rank, source, requested_by, repository, target_device, device, body],
        ...[idempotency_key, fingerprint, retry_of, attempt, open, worst, exit_code],
        ...[created_at, started_at, ended_at, cancel_requested_at],
      )
      const n = Number(stored.lastInsertRowid)
      for (const one of tags) tag.run(one, n)
      return keep(Object.assign(row, { n }))
    },
    update: (row: TaskRow): void => {
      const { state, reason, device, attempt, open, worst, exit_code, started_at, ended_at, cancel_requested_at, n } = row
      update.run(state, reason, device, attempt, open, worst, exit_code, started_at, ended_at, cancel_requested_at, n)
      keep(row)
    },
    get: (taskId: string): TaskRow | undefined => {
      const known = open.get(taskId)
      if (known) return known
      const row = byId.get(taskId)
      return row && keep(row)
    },
    /** What was written has been undone: from now on it is read again. */
    forget: (): void => open.clear(),
    byKey: (requestedBy: string, key: string): TaskRow | undefined => byKey.get(requestedBy, key),
    counts: (): Record<string, number> => Object.fromEntries(counts.all().map((one) => [one.state, one.count])),
    /** Newest first; beyond `maxBytes` of bodies it stops, with the row that was too much. */
    list: (filter: TaskFilter, maxBytes: number): TaskRow[] => {
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
      const rows: TaskRow[] = []
      let bytes = 0
      const found = db.prepare<unknown[], TaskRow>(`select * from task ${clause} order by n desc limit ?`)
      for (const row of found.iterate(...values, filter.limit)) {
        rows.push(row)
        bytes += row.body.length
        if (bytes > maxBytes) break
      }
      return rows
    },
  }
}
export type Tasks = ReturnType<typeof createTasks>
