import type { LogRecord } from '../../schemas/log.ts'
import { filterOf } from '../../schemas/topics.ts'
import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { writeRecord } from './show.ts'
import { askFor, withClient } from './with-client.ts'

export interface LogsFlags extends GlobalFlags {
  follow?: boolean
  run?: string
}

/** `task logs`: what there is, or with `--follow` all of it until the task has ended. With `--json` records: a list, or one to a line. */
export const showLogs = (io: Io, flags: LogsFlags, taskId: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const closed = new Promise<'closed'>((resolve) => io.onOutClosed(() => resolve('closed')))
    if (flags.follow) {
      const { followTask } = await import('./follow.ts')
      const onRecord = (record: LogRecord): void => (flags.json ? io.out(`${JSON.stringify(record)}\n`) : writeRecord(io, record))
      const following = followTask({ client, io, taskId, onRecord, ...(flags.run === undefined ? {} : { run: flags.run }) })
      client.bus
        .subscribe(filterOf(client.fleet, 'event', { kind: 'task' }), ({ payload }) => {
          if (Buffer.from(payload).includes(taskId)) following.tell(undefined)
        })
        // A token that may not read events is only slower: it asks every so often.
        .catch(() => undefined)
      if ((await Promise.race([following.done, closed])) === 'closed') following.done.catch(() => undefined) // nobody reads it any more
      return exitCodes.done
    }
    const all: LogRecord[] = []
    let after = 0
    let run = flags.run
    for (;;) {
      const page = await askFor(client, 'task.logs', {
        task_id: taskId,
        after,
        limit: 1000,
        ...(run === undefined ? {} : { run }),
      })
      for (const record of page.records) if (!flags.json) writeRecord(io, record)
      if (flags.json) all.push(...page.records)
      // An attempt that begins meanwhile is another log.
      run ??= page.run ?? undefined
      if (page.records.length === 0 || page.next <= after) break
      after = page.next
    }
    if (flags.json) printJson(io, all)
    return exitCodes.done
  })
