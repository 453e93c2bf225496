import type { Db } from '../../base/database.ts'
import type { DeploymentState } from '../../schemas/deployment.ts'

/** A deployment as it is stored. Instants are milliseconds. */
export interface DeploymentRow {
  n: number
  deployment_id: string
  name: string
  version: string
  digest: string
  state: DeploymentState
  rollout: string
  target: string
  env: string
  created_at: number
  created_by: string
  ended_at: number | null
  idempotency_key: string | null
  body_hash: string
}

/** A device in a deployment as it is stored. */
export interface DeploymentDeviceRow {
  deployment_id: string
  n: number
  device: string
  state: string
  body: string
  previous: string | null
  revision: number | null
}

export interface DeploymentNews {
  deployment_id: string
  at: number
  state: DeploymentState
  reason: string | null
  by: string | null
}

export interface DeploymentFilter {
  state?: readonly string[] | undefined
  release?: string | undefined
  device?: string | undefined
  before?: number | undefined
  limit: number
}

/** The tables of deployments. Nothing here commits. */
export const createDeployments = (db: Db) => {
  const insert = db.prepare<Omit<DeploymentRow, 'n'>>(`
    insert into deployment (deployment_id, name, version, digest, state, rollout, target, env, created_at, created_by, ended_at, idempotency_key,
      body_hash)
    values (@deployment_id, @name, @version, @digest, @state, @rollout, @target, @env, @created_at, @created_by, @ended_at, @idempotency_key,
      @body_hash)`)
  const update = db.prepare<Pick<DeploymentRow, 'deployment_id' | 'state' | 'rollout' | 'ended_at'>>(
    'update deployment set state = @state, rollout = @rollout, ended_at = @ended_at where deployment_id = @deployment_id',
  )
  const get = db.prepare<[string], DeploymentRow>('select * from deployment where deployment_id = ?')
  const byKey = db.prepare<[string, string], DeploymentRow>(
    'select * from deployment where created_by = ? and idempotency_key = ?',
  )
  /** Those in which something may still happen: a device that is away, or waits, may come back long after the end. */
  const alive = db.prepare<[], DeploymentRow>(`
    select * from deployment where state in ('pending', 'in_progress', 'paused', 'rolling_back') or deployment_id in
      (select deployment_id from deployment_device where state in ('pending', 'deferred', 'deploying', 'deployed', 'rolling_back'))
    order by n`)
  const putDevice = db.prepare<DeploymentDeviceRow>(`
    insert or replace into deployment_device (deployment_id, n, device, state, body, previous, revision)
    values (@deployment_id, @n, @device, @state, @body, @previous, @revision)`)
  const devices = db.prepare<[string], DeploymentDeviceRow>('select * from deployment_device where deployment_id = ? order by n')
  const device = db.prepare<[string, string], DeploymentDeviceRow>(
    'select * from deployment_device where deployment_id = ? and device = ?',
  )
  const superseding = db.prepare<{ id: string }, { device: string; deployment_id: string }>(`
    select mine.device, later.deployment_id from deployment_device as mine
      join deployment as own on own.deployment_id = mine.deployment_id
      join deployment_device as other on other.device = mine.device
      join deployment as later on later.deployment_id = other.deployment_id
    where mine.deployment_id = @id and later.name = own.name and later.n > own.n
      -- One that has ended without it, or has given it back, does not own it.
      and not (later.state in ('cancelled', 'failed', 'rolled_back') and other.state in ('pending', 'deferred', 'skipped', 'rolled_back'))
    order by later.n`)
  const say = db.prepare<DeploymentNews>(
    'insert into deployment_history (deployment_id, at, state, reason, by) values (@deployment_id, @at, @state, @reason, @by)',
  )
  const history = db.prepare<[string], DeploymentNews>('select * from deployment_history where deployment_id = ? order by rowid')
  const previous = db.prepare<[], { previous: string }>(`
    select distinct previous from deployment_device where previous is not null and previous <> 'null' and deployment_id in
      (select deployment_id from deployment where state not in ('rolled_back') and n > (select coalesce(max(n), 0) - 100 from deployment))`)

  return {
    insert: (row: Omit<DeploymentRow, 'n'>): void => void insert.run(row),
    update: (row: Pick<DeploymentRow, 'deployment_id' | 'state' | 'rollout' | 'ended_at'>): void => void update.run(row),
    get: (id: string): DeploymentRow | undefined => get.get(id),
    byKey: (by: string, key: string): DeploymentRow | undefined => byKey.get(by, key),
    alive: (): DeploymentRow[] => alive.all(),
    putDevice: (row: DeploymentDeviceRow): void => void putDevice.run(row),
    /** In the order of their turns. */
    devices: (id: string): DeploymentDeviceRow[] => devices.all(id),
    device: (id: string, name: string): DeploymentDeviceRow | undefined => device.get(id, name),
    /** Devices of a deployment that a newer one of the same release has taken over, and the newest of those. */
    superseding: (id: string): Map<string, string> =>
      new Map(superseding.all({ id }).map((row) => [row.device, row.deployment_id])),
    say: (news: DeploymentNews): void => void say.run(news),
    history: (id: string): DeploymentNews[] => history.all(id),
    /** What some device may have to go back to: entries of `desired`, as JSON. */
    previous: (): string[] => previous.all().map((row) => row.previous),
    /** Newest first. */
    list: ({ state, release, device: on, before, limit }: DeploymentFilter): DeploymentRow[] => {
      const where: string[] = []
      const values: unknown[] = []
      const add = (clause: string, ...given: unknown[]): void => {
        where.push(clause)
        values.push(...given)
      }
      if (state) add(`state in (${state.map(() => '?').join(', ')})`, ...state)
      if (release !== undefined) add('name = ?', release)
      if (on !== undefined) add('deployment_id in (select deployment_id from deployment_device where device = ?)', on)
      if (before !== undefined) add('n < ?', before)
      const clause = where.length === 0 ? '' : `where ${where.join(' and ')}`
      return db
        .prepare<unknown[], DeploymentRow>(`select * from deployment ${clause} order by n desc limit ?`)
        .all(...values, limit)
    },
  }
}
