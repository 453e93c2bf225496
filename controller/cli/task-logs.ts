import { sleep } from '../../base/clock.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { filterOf } from '../../schemas/topics.ts'
import { CliFailure, exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { type LogPart, spanOf } from './log-part.ts'
import { writeRecord } from './show.ts'
import { askFor, withClient } from './with-client.ts'

export interface LogsFlags extends GlobalFlags, LogPart {
  follow?: boolean
  run?: string
}

/** The flags that ask for a part of a log. */
const partFlags = ['after', 'before', 'tail', 'since', 'until'] as const

/** How long what is on its way from its device is waited for, while none of it comes. */
const comingWithinMs = 15_000
const askAgainMs = 200

/** `task logs`: what there is, or with `--follow` all of it until the task has ended. With `--json` records: a list, or one to a line. */
export const showLogs = async (io: Io, flags: LogsFlags, taskId: string): Promise<number> => {
  if (flags.tail !== undefined && flags.tail < 1)
    throw new CliFailure(exitCodes.usage, 'invalid', '--tail: must be at least 1, the number of lines to show')
  if (flags.before !== undefined && flags.before < 1)
    throw new CliFailure(exitCodes.usage, 'invalid', '--before: must be at least 1, the number of the first record')
  return withClient(io, flags, async (client) => {
    const closed = new Promise<'closed'>((resolve) => io.onOutClosed(() => resolve('closed')))
    if (flags.follow) {
      if (partFlags.some((name) => flags[name] !== undefined))
        throw new CliFailure(
          exitCodes.usage,
          'invalid',
          `--follow shows all of a log; ${partFlags.map((name) => `--${name}`).join(', ')} go without it`,
        )
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
    const span = spanOf(flags, io.clock.now())
    const from = flags.after ?? 0
    let after = from
    let run = flags.run
    let movedAt = io.clock.mono()
    for (;;) {
      const page = await askFor(client, 'task.logs', {
        task_id: taskId,
        after,
        limit: 10_000,
        ...span,
        // What follows the first page follows its last record.
        ...(flags.tail === undefined || after > from ? {} : { tail: flags.tail }),
        ...(run === undefined ? {} : { run }),
      })
      // An attempt that begins meanwhile is another log.
      run ??= page.run ?? undefined
      if (page.fetching && io.clock.mono() - movedAt < comingWithinMs) {
        await sleep(io.clock, askAgainMs)
        continue
      }
      movedAt = io.clock.mono()
      for (const record of page.records) if (!flags.json) writeRecord(io, record)
      if (flags.json) all.push(...page.records)
      if (page.records.length === 0 || page.next <= after) break
      after = page.next
    }
    if (flags.json) printJson(io, all)
    return exitCodes.done
  })
}
