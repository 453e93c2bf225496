import type { LogRecord } from '../../schemas/log.ts'
import { exitCodes, usageFailure } from './exit.ts'
import { type Io, printJson } from './io.ts'
import { type LogPart, spanOf } from './log-part.ts'
import { writeRecord } from './show.ts'
import { askFor, withClient } from './with-client.ts'
import { answerSecondsOf, deviceOf, type OfDevice, patient } from './workload-device.ts'

export interface WorkloadLogsFlags extends OfDevice, LogPart {
  follow?: boolean
}

/** So many lines are shown if nothing is said. */
const usualLines = 50
const partFlags = ['after', 'before', 'since', 'until'] as const

/** `workload logs`: the last lines, or a part of the log; with `--follow` what comes as well. With `--json` records: a list, or one to a line. */
export const showWorkloadLogs = async (io: Io, flags: WorkloadLogsFlags, workload: string): Promise<number> => {
  const isPart = partFlags.some((name) => flags[name] !== undefined)
  if (flags.follow && isPart)
    throw usageFailure(
      `--follow shows the end of a log, as much of it as --tail says; ${partFlags.map((name) => `--${name}`).join(', ')} go without it`,
    )
  if (flags.tail !== undefined && flags.tail > 10_000)
    throw usageFailure('--tail: must be at most 10000; --after 0 shows all of a log')
  return withClient(io, patient(flags), async (client) => {
    const device = await deviceOf(client, flags, workload)
    const closed = new Promise<'closed'>((resolve) => io.onOutClosed(() => resolve('closed')))
    const answerSeconds = answerSecondsOf(flags)
    const tail = flags.tail ?? (isPart ? undefined : usualLines)
    if (flags.follow) {
      const { followWorkload } = await import('./workload-follow.ts')
      const onRecord = (record: LogRecord): void => (flags.json ? io.out(`${JSON.stringify(record)}\n`) : writeRecord(io, record))
      const following = followWorkload({ client, io, device, workload, tail: tail ?? usualLines, onRecord, answerSeconds })
      following.catch(() => undefined) // it is raced for below, and nobody reads it after that
      await Promise.race([following, closed])
      return exitCodes.done
    }
    const all: LogRecord[] = []
    const span = spanOf(flags, io.clock.now())
    const from = flags.after ?? 0
    for (let after = from; ; ) {
      // What follows the first page follows its last record.
      const first = tail === undefined || after > from ? {} : { tail }
      const page = await askFor(client, 'workload.logs', {
        ...{ device, workload, after, limit: 10_000 },
        timeout_seconds: answerSeconds,
        ...span,
        ...first,
      })
      for (const record of page.records) if (!flags.json) writeRecord(io, record)
      if (flags.json) all.push(...page.records)
      if (page.records.length === 0 || page.next <= after) break
      after = page.next
    }
    if (flags.json) printJson(io, all)
    return exitCodes.done
  })
}
