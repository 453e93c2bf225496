import type { Db } from '../../base/database.ts'
import { restoredKey } from '../restored.ts'

/**
 * Makes a database agree with itself after rows of it were lost. Of a task that has neither a run nor a place in the queue it is not known what
 * became of it: it ends `lost`, because nothing may run twice.
 */
export const repair = (db: Db, now: number): void => {
  db.transaction(() => {
    db.exec(`
      delete from task_tag where n not in (select n from task);
      delete from queue where task_id not in (select task_id from task where ended_at is null);
      delete from run where task_id not in (select task_id from task);
      delete from note where task_id not in (select task_id from task);
      update task set attempt = max(attempt, (select coalesce(max(run.attempt), 0) from run where run.task_id = task.task_id)) where ended_at is null;
      update task set open = (select count(*) from queue where queue.task_id = task.task_id)
        + (select count(*) from run where run.task_id = task.task_id and run.ended_at is null) where ended_at is null`)
    db.prepare(
      `update task set state = 'lost', reason = 'database_damaged', ended_at = ? where ended_at is null and open = 0`,
    ).run(now)
    // Runs whose rows are gone may live: the devices are heard before anything is sent.
    db.prepare('insert or replace into meta (key, value) values (?, ?)').run(
      restoredKey,
      JSON.stringify({ at: now, made: now, run_waiting: true }),
    )
  })()
}
