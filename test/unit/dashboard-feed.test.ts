import { describe, expect, test } from 'vitest'
import { startFeed } from '../../dashboard/server/feeds/feed.ts'
import type { LivePart } from '../../dashboard/server/feeds/live-topics.ts'
import type { LogPage } from '../../dashboard/server/feeds/source.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { clockOf, createTime, randomFrom } from '../simulation/sim-clock.ts'

const numbered = (seq: number): LogRecord => [seq, 0, 'o', `at ${seq}`]
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A log that grows, read by pages and told live by a network that loses, delays and reorders; a browser that takes its time. */
const createWorld = (seed: number, { losing = 0.2, total = 400 } = {}) => {
  const random = randomFrom(seed)
  const time = createTime()
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const stored: LogRecord[] = []
  const sent: number[] = []
  const nexts: number[] = []
  let receive: ((part: LivePart) => void) | undefined
  let isComplete = false
  let hasRoom = true
  let isAway = false
  let journal = 'j1'
  let anews = 0
  let wrongs = 0
  let written = 0
  const offset = { first: 1 }

  const page = (after: number): Promise<Outcome<LogPage>> =>
    new Promise((resolve) => {
      clock.after(1 + random() * 40, () => {
        if (isAway) return resolve(refused('unavailable', 'away'))
        const limit = 1 + Math.floor(random() * 60)
        const last = stored.at(-1)?.[0] ?? 0
        const found = stored.filter(([seq]) => seq > after).slice(0, limit)
        const next = found.at(-1)?.[0] ?? Math.max(after, 0)
        const complete = isComplete && next >= last
        const about = { first: offset.first, anew: last < after, fetching: false }
        resolve(accepted({ records: found, next: last < after ? last : next, complete, more: found.length > 0, ...about }))
      })
    })

  const feed = startFeed({
    source: { page, topic: () => 'topic' },
    topics: {
      follow: (_, call) => {
        receive = call
        return () => {
          receive = undefined
        }
      },
    },
    clock,
    after: 0,
    send: (records, next, { complete }) => {
      sent.push(...records.map(([seq]) => seq))
      nexts.push(next)
      if (complete) done = true
    },
    anew: () => {
      anews++
      sent.length = 0
    },
    wrong: () => {
      wrongs++
    },
    hasRoom: () => hasRoom,
  })
  let done = false

  const write = (count: number): void => {
    const from = written + 1
    written += count
    const fresh = Array.from({ length: count }, (_, i): LogRecord => [from + i, 0, 'o', `line ${from + i}`])
    const part: LivePart = { journal, first: from, last: from + count - 1, records: () => fresh }
    // The device sends it to all at once; the controller stores it a little later.
    if (random() >= losing) clock.after(random() * 30, () => receive?.(part))
    if (random() < 0.1) clock.after(random() * 100, () => receive?.(part))
    clock.after(random() * 20, () => {
      for (const one of fresh) if (!stored.some(([seq]) => seq === one[0])) stored.push(one)
      stored.sort((a, b) => a[0] - b[0])
    })
  }

  const run = async (ms: number): Promise<void> => {
    const until = time.now() + ms
    for (;;) {
      const hasHappened = time.step(until)
      await settled()
      if (!hasHappened && !time.step(until)) return
    }
  }
  return {
    ...{ time, random, clock, stored, sent, nexts, feed, write, run, total, offset },
    end: () => {
      isComplete = true
      feed.ring()
    },
    set: (state: { hasRoom?: boolean; isAway?: boolean }) => {
      hasRoom = state.hasRoom ?? hasRoom
      isAway = state.isAway ?? isAway
    },
    written: () => written,
    /** The device has lost its memory. */
    forget: () => {
      stored.length = 0
      written = 0
      journal = 'j2'
    },
    isDone: () => done,
    counts: () => ({ anews, wrongs }),
    isFollowed: () => receive !== undefined,
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describe('startFeed()', () => {
  test('every record once and in order, whatever is lost, late or twice, and however slow the browser is', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = createWorld(seed)
      while (world.written() < world.total) {
        world.write(1 + Math.floor(world.random() * 12))
        if (world.random() < 0.1) world.set({ hasRoom: world.random() < 0.5, isAway: world.random() < 0.3 })
        await world.run(5 + world.random() * 60)
      }
      world.set({ hasRoom: true, isAway: false })
      world.end()
      await world.run(60_000)
      expect([seed, world.sent]).toEqual([seed, upTo(world.written())])
      expect([seed, world.isDone()]).toEqual([seed, true])
      expect(world.nexts).toEqual([...world.nexts].sort((a, b) => a - b))
      world.feed.close()
      expect(world.isFollowed()).toBe(false)
    }
  })

  test('while the browser has no room nothing is read for it, and afterwards nothing is missing', async () => {
    const world = createWorld(1, { losing: 0 })
    await world.run(200)
    world.set({ hasRoom: false })
    for (let i = 0; i < 50; i++) {
      world.write(5)
      await world.run(20)
    }
    expect(world.sent).toEqual([])
    world.set({ hasRoom: true })
    await world.run(10_000)
    expect(world.sent).toEqual(upTo(250))
    world.feed.close()
  })

  test('a controller that is away is told, and waited for; any other refusal is the end', async () => {
    const world = createWorld(3, { losing: 1 })
    world.set({ isAway: true })
    world.write(3)
    await world.run(5000)
    expect(world.counts().wrongs).toBeGreaterThan(1)
    world.set({ isAway: false })
    await world.run(5000)
    expect(world.sent).toEqual([1, 2, 3])
    world.feed.close()
  })

  test('a log that begins in its middle, or whose numbers have gaps by nature, is there as its pages have it', async () => {
    const pages = [
      { records: [5000, 5040, 5041].map(numbered), next: 5041 },
      { records: [6000, 6300].map(numbered), next: 6400 },
    ]
    const time = createTime()
    const sent: number[] = []
    const feed = startFeed({
      source: {
        topic: () => undefined,
        page: async () => {
          const { records, next } = pages.shift() ?? { records: [], next: 6400 }
          return accepted({ records, next, complete: false, more: pages.length > 0, first: 1, anew: false, fetching: false })
        },
      },
      topics: { follow: () => () => undefined },
      clock: clockOf(time, { isDead: false, wallOffsetMs: 0 }),
      after: 0,
      send: (records) => void sent.push(...records.map(([seq]) => seq)),
      anew: () => undefined,
      wrong: () => undefined,
      hasRoom: () => true,
    })
    for (let i = 0; i < 10; i++) {
      await settled()
      time.step(1000)
    }
    expect(sent).toEqual([5000, 5040, 5041, 6000, 6300])
    feed.close()
  })

  test('what is not kept any more is skipped, and a log that begins anew is told as such', async () => {
    const world = createWorld(4, { losing: 0 })
    for (let i = 0; i < 10; i++) world.write(10)
    await world.run(3000)
    expect(world.sent).toEqual(upTo(100))
    world.forget()
    world.write(2)
    await world.run(30_000)
    expect(world.counts().anews).toBe(1)
    expect(world.sent).toEqual([1, 2])
    world.feed.close()
  })
})
