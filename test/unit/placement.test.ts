import { describe, expect, test } from 'vitest'
import { isInLane, laneOf, readLane } from '../../controller/core/lanes.ts'
import { place, type Room, type Waiting } from '../../controller/core/placement.ts'
import { type Candidate, whyWaiting } from '../../controller/core/waiting.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

/** Places what waits on devices with room. */
const placed = (rooms: readonly Room[], waiting: readonly Waiting[]) => {
  const lanes = new Map<string, Waiting[]>()
  for (const one of [...waiting].sort((a, b) => a.rank - b.rank || a.id - b.id))
    lanes.set(one.lane, [...(lanes.get(one.lane) ?? []), one])
  return place(rooms, { peek: (lane) => lanes.get(lane)?.[0], pop: (lane) => void lanes.get(lane)?.shift() })
}
const work = (id: number, rank = 2, lane = '*'): Waiting => ({ id, rank, lane })
const shown = (list: ReturnType<typeof placed>) => list.map(({ device, waiting }) => `${waiting.id}@${device}`)

describe('place()', () => {
  test('takes by priority, then by age, over all lanes of a device', () => {
    const rooms = [{ device: 'a', free: 4, lanes: ['*', '=a', '?x'] }]
    const waiting = [work(1, 3), work(2, 2, '=a'), work(3, 0, '?x'), work(4, 2), work(5, 0)]
    expect(shown(placed(rooms, waiting))).toEqual(['3@a', '5@a', '2@a', '4@a'])
  })

  test('spreads: no device gets a second thing while another has room and nothing', () => {
    const rooms = ['a', 'b', 'c'].map((device) => ({ device, free: 5, lanes: ['*'] }))
    const list = placed(
      rooms,
      [1, 2, 3, 4].map((id) => work(id)),
    )
    expect(list.map((one) => one.device)).toEqual(['a', 'b', 'c', 'a'])
  })

  test('leaves the rooms that it was given as they are', () => {
    const rooms = [{ device: 'a', free: 2, lanes: ['*'] }]
    placed(rooms, [work(1)])
    expect(rooms).toEqual([{ device: 'a', free: 2, lanes: ['*'] }])
  })

  test('in any fleet: never beyond the room, only from its own lanes, each thing once, and nothing is left that could have been taken', () => {
    const random = randomFrom(13)
    const names = ['*', '=a', '=b', '?x', '?y']
    for (let round = 0; round < 500; round++) {
      const rooms = ['a', 'b', 'c'].map((device) => ({
        device,
        free: Math.floor(random() * 4) - 1,
        lanes: names.filter(() => random() < 0.5),
      }))
      const waiting = Array.from({ length: Math.floor(random() * 12) }, (_, id) =>
        work(id, Math.floor(random() * 4), names[Math.floor(random() * names.length)]),
      )
      const list = placed(rooms, waiting)
      expect(new Set(list.map((one) => one.waiting.id)).size).toBe(list.length)
      const left = waiting.filter((one) => !list.some((other) => other.waiting.id === one.id))
      for (const room of rooms) {
        const own = list.filter((one) => one.device === room.device).map((one) => one.waiting)
        expect(own.length).toBeLessThanOrEqual(Math.max(0, room.free))
        for (const one of own) expect(room.lanes).toContain(one.lane)
        const missed = left.filter((one) => room.lanes.includes(one.lane))
        if (own.length < room.free) expect(missed).toEqual([])
      }
      // Within a lane nothing overtakes what is more urgent or older.
      for (const one of list)
        for (const other of left.filter((it) => it.lane === one.waiting.lane))
          expect(one.waiting.rank < other.rank || (one.waiting.rank === other.rank && one.waiting.id < other.id)).toBe(true)
    }
  })
})

describe('lanes', () => {
  test('laneOf() and readLane() agree for every target', () => {
    const device = { name: 'd1', labels: { os: 'linux' } }
    for (const [target, lane, isIn] of [
      [{}, '*', true],
      [{ selector: '' }, '*', true],
      [{ selector: '  ' }, '*', true],
      [{ device: 'd1' }, '=d1', true],
      [{ device: 'd2' }, '=d2', false],
      [{ selector: ' os=linux ' }, '?os=linux', true],
      [{ selector: 'os!=linux' }, '?os!=linux', false],
    ] as const)
      expect([target, laneOf(target), isInLane(readLane(laneOf(target)), device)]).toEqual([target, lane, isIn])
  })

  test('a stored selector that cannot be read any more matches nothing', () => {
    expect(isInLane(readLane('?a=b=c'), { name: 'd1', labels: {} })).toBe(false)
  })
})

describe('whyWaiting()', () => {
  const ready = { isReady: true, drained: false, refuses: null, free: 1 }
  const device = (name: string, more: Partial<Candidate> = {}): Candidate => ({
    name,
    labels: { os: 'linux' },
    ...ready,
    ...more,
  })
  const why = (lane: string, devices: Candidate[], dueAt: number | null = null) => whyWaiting(readLane(lane), dueAt, devices)

  test.each([
    ['=d9', [device('d1')], 'no device named "d9" has joined'],
    [
      '=d1',
      [device('d1', { refuses: 'disk_full: only 3 KiB are free', free: 0 })],
      'takes nothing new: d1 (disk_full: only 3 KiB are free)',
    ],
    ['*', [], 'no device has joined yet'],
    ['?os=plan9', [device('d1'), device('d2')], 'no device matches the selector os=plan9 (2 known)'],
    ['*', [device('d1', { drained: true })], 'drained: d1'],
    ['*', [device('d1', { isReady: false }), device('d2', { isReady: false })], 'not connected: d1, d2'],
    ['*', [device('d1', { isReady: false }), device('d2', { drained: true })], 'not connected: d1'],
    ['*', [device('d1', { free: 0 }), device('d2', { isReady: false })], 'busy: d1'],
    ['=d1', [device('d1', { free: -1 })], 'busy: d1'],
    ['*', [device('d1')], 'about to be dispatched'],
    ['*', ['a', 'b', 'c', 'd', 'e'].map((name) => device(name, { free: 0 })), 'busy: a, b, c and 2 more'],
  ] as const)('%s: %#: %s', (lane, devices, expected) => {
    expect(why(lane, [...devices])).toBe(expected)
  })

  test('a retry says when it comes', () => {
    expect(why('*', [device('d1')], Date.parse('2030-01-01T00:00:00Z'))).toBe('waits for its retry at 2030-01-01T00:00:00.000Z')
  })
})
