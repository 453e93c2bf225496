import { describe, expect, test } from 'vitest'
import { metricsTable, sparkline } from '../../controller/cli/device-metrics.ts'
import type { Io } from '../../controller/cli/io.ts'
import { emptyHour, merged, putMinute, sampleOf, valueAt } from '../../controller/metrics-history/hours.ts'
import { seriesOf, windowOf } from '../../controller/metrics-history/series.ts'
import { openStore } from '../../controller/store/store.ts'
import { operations } from '../../schemas/operations.ts'
import { maxOutputBytes } from '../../schemas/request.ts'
import { topicOf } from '../../schemas/topics.ts'
import { codeOf, createWire, type Desk, outputOf, startDesk } from './desk.ts'

const minute = 60_000
const hour = 60 * minute
const figuresOf = (cpu: number | null, more: object = {}) => ({
  ...{ cpu_percent: cpu, memory_used_mb: 512, memory_total_mb: 1024, disk_used_mb: 10, disk_total_mb: 100, load: [0, 0, 0] },
  ...{ temperature_celsius: 41.4, uptime_seconds: 5, clock_offset_ms: null, ...more },
})
const nulls = (count: number): null[] => Array.from({ length: count }, () => null)

/** A heartbeat with figures. */
const beat = (desk: Desk, device: string, cpu: number | null, more: object = {}): Promise<void> =>
  desk.say(topicOf('default', 'deviceHeartbeat', { device }), {
    ...{ session: 1, at: new Date(desk.clock.now()).toISOString(), mono_ms: desk.time.now(), running: [] },
    metrics: figuresOf(cpu, more),
  })
const ask = async (desk: Desk, input: object) =>
  operations['device.metrics'].output.parse(outputOf(await desk.ask('device.metrics', input, 'victor')))
const cpuOf = async (desk: Desk, device: string, input: object = {}) => {
  const [found] = (await ask(desk, { devices: device, ...input })).devices
  return found?.cpu_percent
}
const nextMinute = (desk: Desk): Promise<void> => desk.advance(minute - (desk.clock.now() % minute))
const nextHour = (desk: Desk): Promise<void> => desk.advance(hour - (desk.clock.now() % hour))
const rowsIn = (desk: Desk): number => Number(desk.store.logDb.prepare('select count(*) from device_metrics').pluck().get())

describe('sampleOf()', () => {
  test('takes shares of what there is, and never leaves the bounds of what can be', () => {
    expect(sampleOf(figuresOf(12.4))).toEqual([12.4, 50, 10, 41.4])
    expect(sampleOf(figuresOf(null, { memory_used_mb: null, disk_total_mb: null, temperature_celsius: null }))).toEqual(nulls(4))
    expect(sampleOf(figuresOf(1e308, { memory_used_mb: -5, disk_total_mb: 0, temperature_celsius: 1e9 }))).toEqual([
      100,
      0,
      null,
      154,
    ])
    expect(sampleOf(figuresOf(-1, { memory_total_mb: -7, disk_used_mb: 1e300, temperature_celsius: -1e9 }))).toEqual([
      0,
      null,
      100,
      -100,
    ])
  })
})

describe('an hour', () => {
  test('holds what was put into it, down to the coldest and up to the hottest', () => {
    const one = emptyHour()
    putMinute(one, 60 * 7 + 59, [0, 100, 49.5, -100])
    putMinute(one, 60 * 7, [null, 1, null, 154])
    expect([0, 1, 2, 3].map((figure) => valueAt(one, 59, figure))).toEqual([0, 100, 50, -100])
    expect([0, 1, 2, 3].map((figure) => valueAt(one, 0, figure))).toEqual([null, 1, null, 154])
    expect([0, 1, 2, 3].map((figure) => valueAt(one, 30, figure))).toEqual(nulls(4))
  })

  test('of two the newer one counts, where it knows something', () => {
    const [older, newer] = [emptyHour(), emptyHour()]
    putMinute(older, 1, [1, 2, 3, 4])
    putMinute(older, 2, [1, 2, 3, 4])
    putMinute(newer, 2, [9, null, 9, 9])
    const both = merged(older, newer)
    expect([0, 1, 2, 3].map((figure) => [valueAt(both, 1, figure), valueAt(both, 2, figure)])).toEqual([
      ...[
        [1, 9],
        [2, 2],
        [3, 9],
        [4, 9],
      ],
    ])
    expect(merged(undefined, undefined)).toEqual(emptyHour())
    // A row that is too short, from a file that was tampered with, knows nothing behind its end.
    expect(valueAt(merged(Uint8Array.from([7]), undefined), 59, 3)).toBeNull()
  })
})

describe('windowOf()', () => {
  const now = Date.parse('2030-01-01T12:34:20Z')
  const at = (text: string): number => Date.parse(`2030-01-01T${text}Z`)
  const shown = (since: number, until: number, points: number, keepMs = 48 * hour) => {
    const { from, step, points: count } = windowOf({ since, until, points }, now, keepMs)
    return [new Date(from * minute).toISOString().slice(11, 16), step, count]
  }
  test.each([
    ['the last hour ends with the minute under way', now - hour, now, 60, ['11:35', 1, 60]],
    ['a span with an end takes its last minute whole', at('10:00:00'), at('11:00:00'), 60, ['10:00', 1, 60]],
    ['a longer one has longer steps, from multiples of them', now - 6 * hour, now, 60, ['06:36', 6, 60]],
    ['never more points than asked for', now - hour, now, 7, ['11:33', 9, 7]],
    ['one point', now - hour, now, 1, ['12:00', 60, 1]],
    ['a moment is a minute', now - 1, now, 60, ['12:34', 1, 1]],
    ['nothing is known of what is to come', now + 1, now + hour, 60, ['12:35', 1, 0]],
    ['nor of what is kept no longer', now - 1000 * hour, now - 999 * hour, 60, ['21:35', 1, 0]],
  ] as const)('%s', (_, since, until, points, expected) => expect(shown(since, until, points)).toEqual(expected))

  test('reaches back only as far as anything is kept', () => {
    const { from, step, points } = windowOf({ since: 0, until: now, points: 60 }, now, 48 * hour)
    expect([step, points]).toEqual([48, 60])
    expect(from * minute).toBeGreaterThanOrEqual(now - 49 * hour)
  })
})

describe('seriesOf()', () => {
  test('means over steps that cross hours, without what is not known', () => {
    const hours = new Map([0, 1].map((n) => [n, emptyHour()]))
    for (const [m, cpu] of [
      [58, 10],
      [59, 20],
      [60, 60],
      [62, 5],
    ] as const) {
      const one = hours.get(Math.floor(m / 60))
      if (one) putMinute(one, m, [cpu, null, 0, -10])
    }
    expect(seriesOf({ from: 56, step: 3, points: 3 }, (n) => hours.get(n))).toEqual([
      [10, 40, 5],
      [null, null, null],
      [0, 0, 0],
      [-10, -10, -10],
    ])
    expect(seriesOf({ from: 56, step: 1, points: 0 }, () => undefined)).toEqual([[], [], [], []])
  })
})

describe('device.metrics', () => {
  test('means by the minute, from memory and from the store alike', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await nextMinute(desk)
    for (const cpu of [10, 20, 60]) {
      await beat(desk, 'd1', cpu)
      await desk.advance(10_000)
    }
    expect(rowsIn(desk)).toBe(0)
    expect(await ask(desk, { devices: 'd1', points: 3, since: new Date(desk.clock.now() - 3 * minute).toISOString() })).toEqual({
      from: new Date(desk.clock.now() - 30_000 - 2 * minute).toISOString(),
      step_seconds: 60,
      devices: [
        {
          device: 'd1',
          ...{ cpu_percent: [null, null, 30], memory_percent: [null, null, 50], disk_percent: [null, null, 10] },
          temperature_celsius: [null, null, 41],
        },
      ],
    })
    expect(await cpuOf(desk, 'd1')).toEqual([...nulls(59), 30])
    await nextMinute(desk)
    await beat(desk, 'd1', 100)
    await desk.advance(30_000)
    expect(rowsIn(desk)).toBe(1)
    expect(await cpuOf(desk, 'd1')).toEqual([...nulls(58), 30, 100])
    await desk.advance(2 * minute)
    expect(await cpuOf(desk, 'd1')).toEqual([...nulls(56), 30, 100, null, null])
    expect(await cpuOf(desk, 'd1', { points: 10 })).toEqual([...nulls(9), 65])
  })

  test('a restart in the middle of an hour, and of a minute, loses nothing; a crash the minute under way', async () => {
    let desk = await startDesk()
    await desk.hello('d1')
    await nextHour(desk)
    await desk.advance(10 * minute)
    const { time, wire, store } = desk
    const restart = async (): Promise<void> => {
      desk = await startDesk({ time, wire, store })
      await desk.hello('d1', { session: 1, mono_ms: desk.time.now() + 1 })
    }
    await beat(desk, 'd1', 10)
    await desk.advance(minute)
    await beat(desk, 'd1', 20)
    await desk.close()
    await restart()
    await desk.advance(minute)
    await beat(desk, 'd1', 30)
    expect((await cpuOf(desk, 'd1'))?.slice(-4)).toEqual([null, 10, 20, 30])
    await desk.advance(minute)
    await beat(desk, 'd1', 40)
    await desk.advance(10_000)
    desk.life.isDead = true
    desk.bus.cut()
    await restart()
    await desk.advance(minute)
    await beat(desk, 'd1', 50)
    expect((await cpuOf(desk, 'd1'))?.slice(-6)).toEqual([null, 10, 20, 30, null, 50])
    await desk.advance(minute + 10_000)
    expect((await cpuOf(desk, 'd1'))?.slice(-7)).toEqual([null, 10, 20, 30, null, 50, null])
    expect(rowsIn(desk)).toBe(1)
  })

  test('a clock that jumps back writes over what it comes by again, and loses nothing else', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await nextHour(desk)
    for (const cpu of [1, 2, 3, 4]) {
      await beat(desk, 'd1', cpu)
      await desk.advance(minute)
    }
    desk.life.wallOffsetMs = -3 * minute
    await beat(desk, 'd1', 50)
    expect((await cpuOf(desk, 'd1'))?.slice(-2)).toEqual([1, 50])
    await desk.advance(minute)
    await beat(desk, 'd1', 60)
    await desk.advance(2 * minute)
    expect((await cpuOf(desk, 'd1'))?.slice(-5)).toEqual([1, 50, 60, 4, null])
    desk.life.wallOffsetMs = -5 * hour
    await beat(desk, 'd1', 70)
    await desk.advance(minute)
    desk.life.wallOffsetMs = 0
    await beat(desk, 'd1', 80)
    await desk.advance(2 * minute)
    expect(rowsIn(desk)).toBe(2)
  })

  test('what is old goes, a removed device goes, and what is asked of both is nothing', async () => {
    const desk = await startDesk()
    for (const name of ['d1', 'd2']) await desk.hello(name)
    await nextHour(desk)
    for (let i = 0; i < 5; i++) {
      for (const name of ['d1', 'd2']) await beat(desk, name, 10)
      await desk.advance(hour)
    }
    expect(rowsIn(desk)).toBe(10)
    await beat(desk, 'd1', 10)
    outputOf(await desk.ask('device.remove', { device: 'd1' }))
    await desk.advance(1000)
    expect(rowsIn(desk)).toBe(5)
    expect((await ask(desk, { devices: 'd1,d2,d3' })).devices.map((one) => one.device)).toEqual(['d2'])
    await beat(desk, 'd1', 99)
    await desk.advance(2 * minute)
    expect(rowsIn(desk)).toBe(5)
    // Hour by hour until the first of them is older than 48 hours.
    desk.life.wallOffsetMs = 46 * hour
    await desk.advance(2 * minute)
    expect(rowsIn(desk)).toBe(2)
    desk.life.wallOffsetMs = 60 * hour
    await desk.advance(2 * minute)
    expect(rowsIn(desk)).toBe(0)
  })

  test('what cannot be stored stays in memory, and is stored when it can be', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await nextHour(desk)
    const { put } = desk.store.deviceMetrics
    desk.store.deviceMetrics.put = () => {
      throw new Error('the disk is full')
    }
    for (const cpu of [1, 2, 3]) {
      await beat(desk, 'd1', cpu)
      await desk.advance(minute)
    }
    expect(rowsIn(desk)).toBe(0)
    expect((await cpuOf(desk, 'd1'))?.slice(-4)).toEqual([1, 2, 3, null])
    desk.store.deviceMetrics.put = put
    await desk.advance(2 * minute)
    expect(rowsIn(desk)).toBe(1)
    expect((await cpuOf(desk, 'd1'))?.slice(-6)).toEqual([1, 2, 3, null, null, null])
  })

  test('5,000 devices are written in slices, and 100 of them are answered for at once', async () => {
    const store = openStore(':memory:', ':memory:')
    const time = (await startDesk()).time
    const names = Array.from({ length: 5000 }, (_, i) => `d${i}`.padEnd(63, 'x'))
    for (const name of names) store.devices.join(name, 1)
    const desk = await startDesk({ store, time, wire: createWire(time) })
    await nextHour(desk)
    let most = 0
    let inOne = 0
    const { put } = store.deviceMetrics
    store.deviceMetrics.put = (row) => {
      most = Math.max(most, ++inOne)
      if (inOne === 1)
        setImmediate(() => {
          inOne = 0
        })
      put(row)
    }
    for (const [i, name] of names.entries())
      desk.bus.publish(
        topicOf('default', 'deviceHeartbeat', { device: name }),
        JSON.stringify({
          ...{ session: 1, at: new Date(desk.clock.now()).toISOString(), mono_ms: 1, running: [] },
          metrics: figuresOf(i % 100),
        }),
      )
    await desk.advance(minute + 10_000)
    expect(rowsIn(desk)).toBe(5000)
    expect(most).toBeLessThanOrEqual(100)
    const asked = names.slice(0, 100)
    const answer = await ask(desk, { devices: asked.join(',') })
    expect(answer.devices.map((one) => one.cpu_percent.find((value) => value !== null))).toEqual(asked.map((_, i) => i))
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThanOrEqual(maxOutputBytes)
  }, 30_000)

  test('100 devices with 60 points fit, however long their figures are', async () => {
    const desk = await startDesk()
    const names = Array.from({ length: 100 }, (_, i) => `d${i}`.padEnd(63, 'x'))
    for (const name of names) await desk.hello(name)
    const full = emptyHour()
    for (let i = 0; i < 60; i++) putMinute(full, i, [100, 100, 100, -100])
    const now = Math.floor(desk.clock.now() / hour)
    for (const device of names)
      for (const one of [now - 1, now]) desk.store.deviceMetrics.put({ hour: one, device, minutes: full })
    const answer = await ask(desk, { devices: names })
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThanOrEqual(maxOutputBytes)
    expect(answer.devices.length).toBe(100)
    expect(answer.devices.every((one) => one.cpu_percent.length === 60)).toBe(true)
    // Nothing at all is the longest there is: then it has fewer points.
    const before = new Date(desk.clock.now() - 30 * hour).toISOString()
    const none = await ask(desk, { devices: names, since: before })
    expect(Buffer.byteLength(JSON.stringify(none))).toBeLessThanOrEqual(maxOutputBytes)
  })

  test('what is too much, or no question, is refused with its field', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const many = (count: number) => Array.from({ length: count }, (_, i) => `d${i}`)
    for (const [input, field] of [
      [{}, 'devices'],
      [{ devices: [] }, 'devices'],
      [{ devices: '' }, 'devices.0'],
      [{ devices: 'd1,' }, 'devices.1'],
      [{ devices: "d1' or 1=1" }, 'devices.0'],
      [{ devices: ['__proto__'] }, 'devices.0'],
      [{ devices: many(101) }, 'devices'],
      [{ devices: many(100), points: 61 }, 'points'],
      [{ devices: many(13), points: 500 }, 'points'],
      [{ devices: 'd1', points: 501 }, 'points'],
      [{ devices: 'd1', points: 0 }, 'points'],
      [{ devices: 'd1', since: 'yesterday' }, 'since'],
      [{ devices: 'd1', since: '2030-01-01T00:00:00Z', until: '2030-01-01T00:00:00Z' }, 'since'],
      [{ devices: 'd1', since: '2030-01-01T00:00:00Z', until: '2029-01-01T00:00:00Z' }, 'since'],
      [{ devices: 'd1', step: 5 }, 'step'],
    ] as const) {
      const outcome = await desk.ask('device.metrics', input)
      expect([input, outcome.ok ? 'ok' : outcome.error.details?.[0]?.field]).toEqual([input, field])
      expect(codeOf(outcome)).toBe('invalid')
    }
    const tooMany = await desk.ask('device.metrics', { devices: many(100), points: 61 })
    expect(tooMany.ok ? '' : tooMany.error.details?.[0]?.accepted).toEqual(['1 to 60'])
    expect(await cpuOf(desk, 'd1,d1,d1', { points: '500' })).toHaveLength(60)
    expect(await cpuOf(desk, 'd1', { since: '2999-01-01T00:00:00Z' })).toEqual([])
    expect(await cpuOf(desk, 'd1', { since: '0001-01-01T00:00:00Z', until: '9999-01-01T00:00:00Z' })).toHaveLength(60)
    expect((await ask(desk, { devices: 'nobody' })).devices).toEqual([])
    expect(codeOf(await desk.ask('device.metrics', { devices: 'd1' }, 'd1'))).toBe('forbidden')
  })

  test('figures that a device makes up harm nobody', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    for (const cpu of [1e300, -1e300, 'NaN', null, {}])
      await beat(desk, 'd1', cpu as number, { memory_total_mb: 0, disk_used_mb: -1, temperature_celsius: 1e200 })
    await desk.advance(2 * minute)
    const [one] = (await ask(desk, { devices: 'd1', points: 1 })).devices
    expect(one).toMatchObject({ cpu_percent: [50], memory_percent: [null], disk_percent: [0], temperature_celsius: [154] })
  })
})

describe('skein device metrics', () => {
  const io: Pick<Io, 'terminal'> = { terminal: undefined }
  test('prints a line for each figure, with gaps where nothing was heard', () => {
    const cpu = [0, null, 12, 13, 50, 99, 100]
    const device = {
      device: 'd1',
      cpu_percent: cpu,
      memory_percent: [50],
      disk_percent: [null],
      temperature_celsius: [40, 44, 48],
    }
    expect(metricsTable({ from: '2030-01-01T00:00:00.000Z', step_seconds: 360, devices: [device] }, io)).toBe(
      `             MIN    MEAN   MAX    6 min each, from 2030-01-01T00:00:00.000Z
cpu          0 %    46 %   100 %  ▁ ▁▂▅██
memory       50 %   50 %   50 %   ▅
disk         -      -      -      (nothing was heard)
temperature  40 °C  44 °C  48 °C  ▁▅█
`,
    )
  })

  test('a sparkline of what does not change lies low, and never leaves its bars', () => {
    expect(sparkline([5, 5], { least: 5, most: 5 })).toBe('▁▁')
    expect(sparkline([-50, 150], { least: 0, most: 100 })).toBe('▁█')
    expect(sparkline([], { least: 0, most: 100 })).toBe('')
  })
})
