import type { Clock, Timer } from '../../../base/clock.ts'
import { createLogMerge } from '../../../base/log-merge.ts'
import type { WireError } from '../../../schemas/errors.ts'
import type { LogRecord } from '../../../schemas/log.ts'
import type { LivePart, LiveTopics } from './live-topics.ts'
import type { LogSource } from './source.ts'

export interface FeedDeps {
  source: LogSource
  topics: LiveTopics
  clock: Clock
  /** What the browser has already. */
  after: number
  send: (records: readonly LogRecord[], next: number, how: { live: boolean; complete: boolean }) => void
  /** What was sent so far is void. */
  anew: () => void
  wrong: (error: WireError) => void
  /** Whether the browser takes in what it is sent. While it does not, nothing is read for it. */
  hasRoom: () => boolean
}

/** Without pushes pages have to do; with them a page now and then makes sure. */
const sureEveryMs = 20_000
const againMs = 200
const roomMs = 25
const awayMs = 2000
/** So long what is on its way from a device is waited for, while none of it comes. */
const comingWithinMs = 15_000

/**
 * One log on its way to one browser: pages up to the present, then live, each record once and in order. Whatever disturbs that (a gap,
 * a browser that is slow, a connection that was away) is answered in the same way: pages again, from where it was.
 */
export const startFeed = ({
  source,
  topics,
  clock,
  after,
  send,
  anew,
  wrong,
  hasRoom,
}: FeedDeps): { ring(): void; close(): void } => {
  let merge = createLogMerge(after)
  let isClosed = false
  let isPaging = false
  let isRung = false
  let timer: Timer | undefined
  let unfollow: (() => void) | undefined
  let followed: string | undefined
  let journal: string | undefined
  let movedAtMono = clock.mono()
  /** What a workload's log begins with is known from its first page only. */
  let hasBegun = after > 0

  const give = (records: readonly LogRecord[], live: boolean, complete = false): void => {
    if (records.length > 0) movedAtMono = clock.mono()
    if (records.length > 0 || complete || live) send(records, merge.last(), { live, complete })
  }

  const receive = (part: LivePart): void => {
    if (isClosed) return
    // A device with a new memory numbers from 1 again: the next page tells.
    const isOther = journal !== undefined && journal !== part.journal
    journal = part.journal
    if (isOther || isPaging || !hasBegun || part.first > merge.last() + 1 || !hasRoom()) return ring()
    if (part.last <= merge.last()) return
    const records = part.records()
    if (!records) return
    give(merge.offer(records), true)
  }

  const follow = (): void => {
    const topic = source.topic()
    if (topic === undefined || topic === followed) return
    unfollow?.()
    followed = topic
    unfollow = topics.follow(topic, receive)
  }

  const wait = (ms: number): void => {
    timer?.cancel()
    timer = clock.after(ms, () => void read())
  }

  const ring = (): void => {
    if (isPaging) isRung = true
    else wait(0)
  }

  const read = async (): Promise<void> => {
    if (isClosed || isPaging) return
    if (!hasRoom()) return wait(roomMs)
    isPaging = true
    isRung = false
    timer?.cancel()
    follow()
    const waitMs = await readPage()
    isPaging = false
    if (isClosed || waitMs === undefined) return
    wait(isRung ? Math.min(waitMs, againMs) : waitMs)
  }

  /** Reads one page. Gives how long to wait for the next, undefined when there is none to come. */
  const readPage = async (): Promise<number | undefined> => {
    const outcome = await source.page(merge.last())
    if (isClosed) return undefined
    if (!outcome.ok) {
      wrong(outcome.error)
      return outcome.error.code === 'unavailable' ? awayMs : undefined
    }
    const { records, next, complete, more, first, fetching } = outcome.output
    follow()
    if (outcome.output.anew) {
      merge = createLogMerge()
      hasBegun = false
      anew()
      return 0
    }
    hasBegun = true
    const given = [...merge.skipTo(first - 1), ...merge.page(records)]
    if (fetching && clock.mono() - movedAtMono < comingWithinMs) {
      give(given, false)
      return againMs
    }
    given.push(...merge.skipTo(next))
    give(given, !more, complete)
    if (complete) return undefined
    return more ? 0 : sureEveryMs
  }

  void read()
  return {
    ring,
    close: () => {
      isClosed = true
      timer?.cancel()
      unfollow?.()
    },
  }
}
