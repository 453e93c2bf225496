import type { Db } from '../../base/database.ts'

/** Something that waits for a device. */
export interface QueueRow {
  id: number
  task_id: string
  lane: string
  rank: number
  tries: number
  due_at: number | null
  expires_at: number | null
}

/** The queue: by lane, then priority, then age. It is read a few rows at a time, however long it is. */
export const createQueue = (db: Db) => {
  const add = db.prepare<Omit<QueueRow, 'id'>>(
    'insert into queue (task_id, lane, rank, tries, due_at, expires_at) values (@task_id, @lane, @rank, @tries, @due_at, @expires_at)',
  )
  const head = db.prepare<[string, number], QueueRow>(
    'select * from queue where lane = ? and due_at is null order by rank, id limit ?',
  )
  const between = db.prepare<[number, number, number], QueueRow>(
    'select * from queue where id > ? and id <= ? order by id limit ?',
  )
  const lastId = db.prepare<[], { id: number | null }>('select max(id) as id from queue')
  const remove = db.prepare<[number]>('delete from queue where id = ?')
  const ofTask = db.prepare<[string], QueueRow>('select * from queue where task_id = ?')
  const ofLane = db.prepare<[string], QueueRow>('select * from queue where lane = ?')
  const lanes = db.prepare<[], { lane: string; count: number }>(
    'select lane, count(*) as count from queue where due_at is null group by lane',
  )
  const due = db.prepare<[number], QueueRow>('select * from queue where due_at <= ? order by due_at limit 500')
  const wake = db.prepare<[number]>('update queue set due_at = null where id = ?')
  const nextDue = db.prepare<[], { at: number | null }>('select min(due_at) as at from queue where due_at is not null')
  const expired = db.prepare<[number], QueueRow>('select * from queue where expires_at <= ? order by expires_at limit 500')
  const nextExpiry = db.prepare<[], { at: number | null }>('select min(expires_at) as at from queue where expires_at is not null')
  const depth = db.prepare<[], { depth: number; oldest: number | null }>(
    'select count(*) as depth, (select created_at from task where task_id = (select task_id from queue order by id limit 1)) as oldest from queue',
  )

  return {
    add: (row: Omit<QueueRow, 'id'>): void => {
      add.run(row)
    },
    head: (lane: string, limit: number): QueueRow[] => head.all(lane, limit),
    /** By age, whatever lane. */
    between: (after: number, upTo: number, limit: number): QueueRow[] => between.all(after, upTo, limit),
    lastId: (): number | null => lastId.get()?.id ?? null,
    remove: (id: number): void => {
      remove.run(id)
    },
    ofTask: (taskId: string): QueueRow[] => ofTask.all(taskId),
    ofLane: (lane: string): QueueRow[] => ofLane.all(lane),
    lanes: (): Map<string, number> => new Map(lanes.all().map((one) => [one.lane, one.count])),
    due: (now: number): QueueRow[] => due.all(now),
    wake: (id: number): void => {
      wake.run(id)
    },
    expired: (now: number): QueueRow[] => expired.all(now),
    /** When something next comes due or expires. */
    nextAt: (): number | undefined => {
      const times = [nextDue.get()?.at, nextExpiry.get()?.at].filter((at) => typeof at === 'number')
      return times.length > 0 ? Math.min(...times) : undefined
    },
    depth: () => depth.get() ?? { depth: 0, oldest: null },
  }
}
export type Queue = ReturnType<typeof createQueue>
