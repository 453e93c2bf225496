import { createLogMerge, maxWaiting } from '../../base/log-merge.ts'
import { isDrop, type LogRecord, readRecords } from '../../schemas/log.ts'
import { readLogMessage } from '../../schemas/log-message.ts'
import { topicOf } from '../../schemas/topics.ts'
import { createBell } from './bell.ts'
import type { Client } from './client.ts'
import { refusalFailure } from './exit.ts'
import type { Io } from './io.ts'
import { plain } from './table.ts'

interface Deps {
  client: Client
  io: Pick<Io, 'clock' | 'err'>
  device: string
  workload: string
  /** How much of what there is already comes first. */
  tail: number
  /** How long the device may take to answer. */
  answerSeconds: number
  onRecord: (record: LogRecord) => void
}

/** The device sends live lines only while somebody wants them: that is said again well before it would stop. */
const wantedSeconds = 60
const renewMs = 30_000
/** Without live lines pages have to do. */
const pollMs = 2000
const pageSize = 1000

/** Follows the log of a workload for as long as somebody reads it: nothing missing that its device still has, nothing twice. */
export const followWorkload = async (deps: Deps): Promise<never> => {
  const { client, io, device, workload, tail, onRecord } = deps
  const bell = createBell(io.clock)
  let merge: ReturnType<typeof createLogMerge> | undefined
  let isLive = false
  let journal: string | undefined
  /** What comes live before the first page says where to begin. */
  const early: LogRecord[] = []
  const write = (records: readonly LogRecord[]): void => {
    for (const record of records) onRecord(record)
  }

  const topic = topicOf(client.fleet, 'deviceLog', { device, source: workload })
  client.bus
    .subscribe(topic, ({ payload }) => {
      const message = readLogMessage(payload)
      if (!message) return
      // A device with a new memory numbers from 1 again: the next page tells.
      if (journal !== undefined && journal !== message.head.journal) bell.ring()
      journal = message.head.journal
      if (merge && message.head.last <= merge.last()) return
      if (merge && message.head.first > merge.last() + maxWaiting) return bell.ring()
      const records = readRecords(Buffer.from(message.records).toString('utf8'))
      if (!records) return
      if (!merge) {
        if (early.length < maxWaiting) early.push(...records)
        return
      }
      write(merge.offer(records))
      if (merge.hasGap()) bell.ring()
    })
    // Without the pushes it is only slower.
    .then(
      () => {
        isLive = true
      },
      () => undefined,
    )
  client.bus.onConnect(bell.ring)

  let said: string | null = null
  for (;;) {
    const after = merge?.last()
    const from = after === undefined ? { tail } : { after }
    const reply = await client.ask('workload.logs', {
      ...{ device, workload, limit: pageSize, follow_seconds: wantedSeconds },
      timeout_seconds: deps.answerSeconds,
      ...from,
    })
    if (!reply.ok) {
      // It may come back; everything else does not change by waiting.
      if (reply.error.code !== 'unavailable') throw refusalFailure(reply.error)
      if (said === null) io.err(`skein: ${plain(reply.error.message)}; waiting for it\n`)
      said = reply.error.message
      await bell.wait(pollMs)
      continue
    }
    if (said !== null) io.err(`skein: device "${device}" answers again\n`)
    said = null
    const { records, next, first, last } = reply.output
    if (after !== undefined && last < after) {
      io.err('skein: the log begins anew: its device has lost what it had\n')
      merge = undefined
      continue
    }
    if (!merge) {
      merge = createLogMerge(records.length > 0 ? firstOf(records) - 1 : next)
      write(merge.page(records))
      write(merge.offer(early.splice(0)))
    } else {
      if (first - 1 > merge.last()) {
        io.err(`skein: ${first - 1 - merge.last()} records are missing here: the device does not keep them any more\n`)
        write(merge.skipTo(first - 1))
      }
      write(merge.page(records))
    }
    write(merge.skipTo(next))
    // A full page has more behind it.
    if (next < last && next > (after ?? 0)) continue
    await bell.wait(isLive ? renewMs : pollMs)
  }
}

const firstOf = (records: readonly LogRecord[]): number => {
  const [first] = records
  if (!first) return 1
  const text = first[3]
  return isDrop(text) ? text.dropped.from : first[0]
}
