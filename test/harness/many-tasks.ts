import { mkdirSync } from 'node:fs'
import { pathsIn } from '../../base/paths.ts'
import { openStore } from '../../controller/store/store.ts'

/** Fills a controller's databases, which nobody may have open, with tasks that ended long ago, each with its run; as fast as SQLite can. */
export const fillWithEnded = (data: string, count: number, endedAt: number): void => {
  const paths = pathsIn(data)
  mkdirSync(paths.controller, { recursive: true, mode: 0o700 })
  const { db, close } = openStore(paths.controllerDb, paths.logDb)
  const body = JSON.stringify({
    payload: { command: ['sh', '-c', 'echo hello; exit 0'] },
    type: 'command',
    priority: 'medium',
    source: 'api',
    target: { device: 'd1' },
    options: {},
    metadata: { name: 'one of many' },
    tags: [],
  })
  db.pragma('synchronous = off')
  db.exec(`
    with recursive counted (i) as (select 1 union all select i + 1 from counted where i < ${count})
    insert into task (task_id, state, type, rank, source, requested_by, target_device, device, body, fingerprint, attempt, open, created_at, started_at, ended_at, exit_code, idempotency_key)
    select printf('many-%08d', i), 'succeeded', 'command', 2, 'api', 'admin', 'd1', 'd1', '${body.replaceAll("'", "''")}', hex(i), 1, 0,
      ${endedAt} + i / 100, ${endedAt} + i / 100, ${endedAt} + i / 100, 0, printf('key-%08d', i) from counted;
    insert into run (run_id, task_id, attempt, device, journal, lane, tries, state, exit_code, dispatched_at, accepted_at, started_at, ended_at)
    select task_id || '-1', task_id, 1, 'd1', 'j', '=d1', 1, 'succeeded', 0, created_at, created_at, started_at, ended_at from task where task_id like 'many-%';`)
  close()
}
