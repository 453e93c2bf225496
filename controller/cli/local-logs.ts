import type { LogRecord } from '../../schemas/log.ts'
import type { WorkloadLogPage } from '../../schemas/workload-requests.ts'
import { exitCodes, usageFailure } from './exit.ts'
import { type Io, printJson } from './io.ts'
import { askLocal, deviceOf, followLocal, type LocalFlags } from './local-door.ts'
import { type LogPart, spanOf } from './log-part.ts'
import { writeRecord } from './show.ts'

export interface LocalLogsFlags extends LocalFlags, LogPart {
  follow?: boolean
  timestamps?: boolean
}

/** So many lines are shown if nothing is said. */
const usualLines = 50

/** `local logs`: the last lines, or a part of the log; with `--follow` what comes as well, also from the daemons that come. */
export const localLogs = async (io: Io, flags: LocalLogsFlags, workload: string): Promise<number> => {
  if (flags.tail !== undefined && flags.tail > 10_000)
    throw usageFailure('--tail: must be at most 10000; --after 0 shows all of a log')
  const device = deviceOf(flags, io.env)
  const timeoutMs = (flags.timeout ?? 10) * 1000
  const isPart = flags.after !== undefined || flags.before !== undefined || flags.since !== undefined || flags.until !== undefined
  const tail = flags.tail ?? (isPart ? undefined : usualLines)
  const span = spanOf(flags, io.clock.now())
  const write = (record: LogRecord): void =>
    flags.json && flags.follow ? io.out(`${JSON.stringify(record)}\n`) : writeRecord(io, record, flags.timestamps)
  const first = { workload, after: flags.after ?? 0, limit: 10_000, ...span, ...(tail === undefined ? {} : { tail }) }

  if (flags.follow) {
    if (flags.before !== undefined || flags.until !== undefined)
      throw usageFailure('--follow has no end; --before and --until go without it')
    let isLeft = false
    io.onOutClosed(() => {
      isLeft = true
    })
    for (let question: Record<string, unknown> = first; !isLeft; ) {
      for await (const part of followLocal(device, { command: 'follow', ...question }, timeoutMs)) {
        const page = part as WorkloadLogPage // our own daemon's answer
        for (const record of page.records) write(record)
        question = { workload, after: page.next, limit: 10_000 }
        if (isLeft) break
      }
    }
    return exitCodes.done
  }

  const all: LogRecord[] = []
  for (let question: Record<string, unknown> = first; ; ) {
    const page = (await askLocal(device, { command: 'logs', ...question }, timeoutMs)) as WorkloadLogPage // our own daemon's answer
    if (flags.json) all.push(...page.records)
    else for (const record of page.records) write(record)
    if (page.records.length === 0 || page.next >= page.last) break
    const { tail: _, ...rest } = first
    question = { ...rest, after: page.next }
  }
  if (flags.json) printJson(io, all)
  return exitCodes.done
}
