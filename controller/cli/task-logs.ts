import { sleep } from '../../base/clock.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { filterOf } from '../../schemas/topics.ts'
import { CliFailure, exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { writeRecord } from './show.ts'
import { askFor, withClient } from './with-client.ts'

export interface LogsFlags extends GlobalFlags {
  follow?: boolean
  run?: string
  after?: number
  before?: number
  tail?: number
  since?: string
  until?: string
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
    const window = {
      ...(flags.before === undefined ? {} : { before: flags.before }),
      ...(flags.since === undefined ? {} : { since: instantFlag('since', flags.since, io.clock.now()) }),
      ...(flags.until === undefined ? {} : { until: instantFlag('until', flags.until, io.clock.now()) }),
    }
    const from = flags.after ?? 0
    let after = from
    let run = flags.run
    let movedAt = io.clock.mono()
    for (;;) {
      const page = await askFor(client, 'task.logs', {
        task_id: taskId,
        after,
        limit: 10_000,
        ...window,
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

/** An instant, or how long ago: `10m`. */
export const instantFlag = (name: string, text: string, now: number): string => {
  const [, count, unit = ''] = /^(\d{1,9})(d|h|min|m|s)$/.exec(text) ?? []
  const seconds = { d: 86_400, h: 3600, min: 60, m: 60, s: 1 }[unit]
  const at = count !== undefined && seconds !== undefined ? now - Number(count) * seconds * 1000 : Date.parse(text)
  if (Number.isNaN(at))
    throw new CliFailure(exitCodes.usage, 'invalid', `--${name}: "${text}" is no time; it is like 2030-01-31T12:00:00Z, or 10m`)
  return new Date(at).toISOString()
}
