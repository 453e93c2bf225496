import { describe, expect, test } from 'vitest'
import { waitBefore } from '../../dashboard/web/live/backoff.ts'
import { createLooks, type News, type Shown } from '../../dashboard/web/live/looks.ts'
import { mergeFleet } from '../../dashboard/web/live/merge.ts'
import type { BrowserMessage, FleetRow } from '../../schemas/dashboard.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { fleetRow } from './fleet-row.ts'

const row = (n: number, over: Partial<FleetRow> = {}): FleetRow =>
  fleetRow(n, { last_seen_at: 0, cpu: 1, memory: 2, disk: 3, ...over })

describe('waitBefore()', () => {
  test('grows from half a second to ten, and is spread over all of it', () => {
    expect(waitBefore(0, 1)).toBe(500)
    expect(waitBefore(2, 1)).toBe(2000)
    expect(waitBefore(50, 1)).toBe(10_000)
    expect(waitBefore(50, 0)).toBe(0)
  })
})

describe('mergeFleet()', () => {
  const before = new Map([row(1), row(2), row(3)].map((one) => [one.n, one]))

  test('takes rows, then beats, then those that have gone', () => {
    const after = mergeFleet(
      before,
      { rows: [row(4), row(1, { drained: true })], beats: [[4, 50, 60, 70, 41, 2]], gone: [3] },
      99,
    )
    expect([...after.keys()]).toEqual([1, 2, 4])
    expect(after.get(1)).toEqual(row(1, { drained: true }))
    expect(after.get(4)).toEqual(row(4, { cpu: 50, memory: 60, disk: 70, temperature: 41, running: 2, last_seen_at: 99 }))
  })

  test('leaves what did not change the same object, and the map before as it was', () => {
    const after = mergeFleet(before, { beats: [[1, 9, 9, 9, 9, 1]] }, 5)
    expect(after.get(2)).toBe(before.get(2))
    expect(before.get(1)?.cpu).toBe(1)
  })

  test('passes over beats of devices that it does not know', () => {
    expect(mergeFleet(before, { beats: [[77, 1, 1, 1, 1, 1]] }, 5)).toEqual(before)
  })
})

describe('createLooks()', () => {
  const world = () => {
    const sent: BrowserMessage[] = []
    const looks = createLooks((message) => sent.push(message))
    return { sent, looks }
  }
  const hear = () => {
    const heard: { shown: Shown; news: News }[] = []
    return { heard, listener: (shown: Shown, news: News) => void heard.push({ shown, news }), last: () => heard.at(-1) }
  }
  const bar = { devices: 1 }

  test('lets two who look at the same share one look, and leaves with the last of them', () => {
    const { sent, looks } = world()
    const [a, b] = [hear(), hear()]
    const leaveA = looks.look({ view: 'overview' }, a.listener)
    const leaveB = looks.look({ view: 'overview' }, b.listener)
    expect(sent).toEqual([{ kind: 'look', id: 1, at: { view: 'overview' } }])
    looks.take({ kind: 'show', id: 1, at: 0, data: bar })
    expect([a.last()?.shown.data, b.last()?.shown.data]).toEqual([bar, bar])
    leaveA()
    expect(sent).toHaveLength(1)
    leaveB()
    leaveB()
    expect(sent.slice(1)).toEqual([{ kind: 'leave', id: 1 }])
  })

  test('shows what it knew to those who come back, as not live', () => {
    const { looks } = world()
    looks.look({ view: 'overview' }, hear().listener)()
    const first = hear()
    const leave = looks.look({ view: 'overview' }, first.listener)
    looks.take({ kind: 'show', id: 2, at: 0, data: bar })
    leave()
    const second = hear()
    looks.look({ view: 'overview' }, second.listener)
    expect(second.last()?.shown).toEqual({ data: bar, isLive: false, error: null })
  })

  test('merges changes of fields, and drops one that comes before anything was shown', () => {
    const { looks } = world()
    const a = hear()
    looks.look({ view: 'overview' }, a.listener)
    looks.take({ kind: 'change', id: 1, at: 0, data: { tasks: 1 } })
    expect(a.last()?.shown.data).toBeUndefined()
    looks.take({ kind: 'show', id: 1, at: 0, data: { devices: 1, tasks: 2 } })
    looks.take({ kind: 'change', id: 1, at: 0, data: { tasks: 3 } })
    expect(a.last()).toEqual({
      shown: { data: { devices: 1, tasks: 3 }, isLive: true, error: null },
      news: { kind: 'change', data: { tasks: 3 } },
    })
  })

  test('keeps the data of a connection that is away, and looks again at everything when there is one', () => {
    const { sent, looks } = world()
    const a = hear()
    const records: number[] = []
    const lives: boolean[] = []
    looks.look({ view: 'overview' }, a.listener)
    looks.follow(
      { view: 'log', task_id: 't', run: 't-1', after: 0 },
      {
        onRecords: (all) => void records.push(...all.map(([seq]) => seq)),
        onAnew: () => void records.splice(0),
        onLive: (is) => void lives.push(is),
      },
    )
    looks.take({ kind: 'show', id: 1, at: 0, data: bar })
    looks.take({ kind: 'records', id: 2, records: [record(1), record(2)], next: 2, live: true, complete: false })
    looks.lost()
    expect(a.last()?.shown).toEqual({ data: bar, isLive: false, error: null })
    expect(lives).toEqual([true, false])
    sent.length = 0
    looks.opened()
    expect(sent).toEqual([
      { kind: 'look', id: 1, at: { view: 'overview' } },
      { kind: 'look', id: 2, at: { view: 'log', task_id: 't', run: 't-1', after: 2 } },
    ])
    looks.take({ kind: 'anew', id: 2 })
    expect(records).toEqual([])
    looks.opened()
    expect(sent.at(-1)).toEqual({ kind: 'look', id: 2, at: { view: 'log', task_id: 't', run: 't-1', after: 0 } })
  })

  test('answers what matches, and ends the question when the connection is lost', async () => {
    const { looks } = world()
    const [first, second, third] = [looks.match('a'), looks.match('b'), looks.match('c')]
    looks.take({ kind: 'matches', id: 1, devices: [3, 4] })
    looks.take({ kind: 'wrong', id: 2, error: { code: 'invalid', message: 'cannot read "b"', retryable: false } })
    looks.lost()
    expect(await first).toEqual({ ok: true, output: [3, 4] })
    expect(await second).toMatchObject({ ok: false, error: { message: 'cannot read "b"' } })
    expect(await third).toMatchObject({ ok: false, error: { code: 'unavailable', retryable: true } })
  })

  test('tells whoever looks what is wrong with a look', () => {
    const { looks } = world()
    const a = hear()
    looks.look({ view: 'device', device: 'nobody' }, a.listener)
    const error = { code: 'not_found', message: 'no', retryable: false }
    looks.take({ kind: 'wrong', id: 1, error })
    expect(a.last()?.shown.error).toEqual(error)
  })
})

const record = (seq: number): LogRecord => [seq, 0, 'o', 'text']
