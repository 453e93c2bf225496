import { describe, expect, test } from 'vitest'
import { createSchedule } from '../../device/workloads/slots.ts'
import { seeded } from '../harness/seeded.ts'

const minute = 60_000
const hour = 60 * minute

/** The slots of a day or so, as they are on the wall: `02:30+02:00`. */
const shown = (text: string, timezone: string, from: string, to: string): string[] => {
  const schedule = createSchedule(text, timezone)
  const until = Date.parse(to)
  const seen: string[] = []
  for (let slot = schedule.next(Date.parse(from) - 1); slot !== null && slot < until; slot = schedule.next(slot))
    seen.push(onTheWall(slot, timezone))
  return seen
}

const onTheWall = (instant: number, timezone: string): string => {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'longOffset',
  })
  return format.format(instant).replace(' GMT', '')
}

describe('createSchedule() when clocks are put forward', () => {
  const berlin = (text: string) => shown(text, 'Europe/Berlin', '2026-03-28T23:00Z', '2026-03-29T22:00Z')

  test('fires once after the gap for a time that does not exist', () => {
    expect(berlin('30 2 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('0 2 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('0,30 2 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('*/20 2 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('15 2,14 * * *')).toEqual(['03:00+02:00', '14:15+02:00'])
    expect(berlin('0 2,3 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('45 30 2 * * *')).toEqual(['03:00+02:00'])
    expect(berlin('@daily')).toEqual(['00:00+01:00'])
  })

  test('makes up for nothing where every hour fires', () => {
    expect(berlin('0 * * * *')).toHaveLength(23)
    expect(berlin('@hourly')).toHaveLength(23)
    expect(berlin('30 0-23 * * *')).toHaveLength(23)
    expect(berlin('*/5 * * * *')).toHaveLength(23 * 12)
  })

  test('holds in New York, on Lord Howe with its half hour, and where midnight is skipped', () => {
    const newYork = (text: string) => shown(text, 'America/New_York', '2027-03-14T05:00Z', '2027-03-15T04:00Z')
    expect(newYork('30 2 * * *')).toEqual(['03:00-04:00'])
    expect(newYork('0 * * * *')).toHaveLength(23)
    const lordHowe = (text: string) => shown(text, 'Australia/Lord_Howe', '2026-10-03T13:30Z', '2026-10-04T13:00Z')
    expect(lordHowe('10 2 * * *')).toEqual(['02:30+11:00'])
    expect(lordHowe('40 2 * * *')).toEqual(['02:40+11:00'])
    expect(lordHowe('*/10 * * * *')).toHaveLength(6 * 23.5)
    expect(shown('0 0 * * *', 'Africa/Cairo', '2026-04-23T00:00Z', '2026-04-25T00:00Z')).toEqual(['01:00+03:00', '00:00+03:00'])
  })

  test('fires once for a day that a country has left out', () => {
    expect(shown('0 7 * * *', 'Pacific/Apia', '2011-12-29T00:00Z', '2012-01-01T00:00Z')).toEqual([
      '07:00-10:00',
      '00:00+14:00',
      '07:00+14:00',
      '07:00+14:00',
    ])
  })
})

describe('createSchedule() when clocks are put back', () => {
  const berlin = (text: string) => shown(text, 'Europe/Berlin', '2026-10-24T22:00Z', '2026-10-25T23:00Z')

  test('fires the first time only for a time that comes twice', () => {
    expect(berlin('30 2 * * *')).toEqual(['02:30+02:00'])
    expect(berlin('0,30 2 * * *')).toEqual(['02:00+02:00', '02:30+02:00'])
    expect(berlin('15 1-3 * * *')).toEqual(['01:15+02:00', '02:15+02:00', '03:15+01:00'])
    expect(berlin('0 */6 * * *')).toHaveLength(4)
    expect(berlin('0 */2 * * *')).toHaveLength(12)
  })

  test('fires both times where the schedule follows the passing of time', () => {
    expect(berlin('0 * * * *')).toHaveLength(25)
    expect(berlin('*/5 * * * *')).toHaveLength(25 * 12)
    expect(berlin('*/30 1-3 * * *')).toEqual([
      '01:00+02:00',
      '01:30+02:00',
      '02:00+02:00',
      '02:30+02:00',
      '02:00+01:00',
      '02:30+01:00',
      '03:00+01:00',
      '03:30+01:00',
    ])
  })

  test('holds in New York, on Lord Howe with its half hour, and where midnight comes twice', () => {
    const newYork = (text: string) => shown(text, 'America/New_York', '2026-11-01T04:00Z', '2026-11-02T05:00Z')
    expect(newYork('30 1 * * *')).toEqual(['01:30-04:00'])
    expect(newYork('*/10 * * * *')).toHaveLength(150)
    const lordHowe = (text: string) => shown(text, 'Australia/Lord_Howe', '2026-04-04T13:00Z', '2026-04-05T13:30Z')
    expect(lordHowe('45 1 * * *')).toEqual(['01:45+11:00'])
    expect(lordHowe('*/10 * * * *')).toHaveLength(6 * 24.5)
    expect(shown('0 0 * * *', 'America/Havana', '2026-10-31T12:00Z', '2026-11-02T12:00Z')).toEqual(['00:00-04:00', '00:00-05:00'])
  })

  test('asked in the middle of the second time, does not fire again', () => {
    const schedule = createSchedule('30 2 * * *', 'Europe/Berlin')
    expect(schedule.next(Date.parse('2026-10-25T01:10Z'))).toBe(Date.parse('2026-10-26T01:30Z'))
    expect(schedule.previous(Date.parse('2026-10-25T01:40Z'))).toBe(Date.parse('2026-10-25T00:30Z'))
  })
})

describe('createSchedule()', () => {
  test('knows no other days where clocks are never changed', () => {
    for (const timezone of ['Asia/Kolkata', 'UTC', 'America/Phoenix']) {
      const schedule = createSchedule('30 2 * * *', timezone)
      let slot = schedule.next(Date.UTC(2026, 0, 1)) ?? 0
      for (let day = 0; day < 730; day++) {
        const next = schedule.next(slot) ?? 0
        expect(next - slot).toBe(24 * hour)
        slot = next
      }
    }
  })

  test('rests for years, ends, and has dates', () => {
    const leap = createSchedule('0 12 29 2 *', 'Europe/Berlin')
    expect(leap.next(Date.UTC(2028, 2, 1))).toBe(Date.UTC(2032, 1, 29, 11))
    expect(leap.previous(Date.UTC(2028, 1, 1))).toBe(Date.UTC(2024, 1, 29, 11))
    expect(createSchedule('0 0 30 2 *', 'UTC').next(0)).toBeNull()
    expect(createSchedule('0 0 30 2 *', 'UTC').previous(Date.UTC(2026, 0, 1))).toBeNull()
    const year = createSchedule('0 30 12 1 6 * 2027', 'Europe/Berlin')
    expect(year.next(0)).toBe(Date.UTC(2027, 5, 1, 10, 30))
    expect(year.next(Date.UTC(2027, 5, 1, 10, 30))).toBeNull()
    const date = createSchedule('2027-06-01T12:30:00', 'Europe/Berlin')
    expect(date.next(0)).toBe(Date.UTC(2027, 5, 1, 10, 30))
    expect(date.previous(Date.UTC(2027, 5, 1, 10, 30))).toBeNull()
    expect(date.previous(Date.UTC(2028, 0, 1))).toBe(Date.UTC(2027, 5, 1, 10, 30))
    expect(() => createSchedule('61 * * * *', 'UTC')).toThrow('minute')
    expect(() => createSchedule('0 * * * *', 'Mars/Olympus')).toThrow()
  })

  test('has the slots that a count of minutes on the wall finds, in both directions, in any zone', () => {
    const { pick, below, isLucky } = seeded(23)
    const zones = [
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kolkata',
      'Africa/Cairo',
      'America/Havana',
    ] as const
    for (let round = 0; round < 120; round++) {
      const timezone = pick(zones)
      const minutes = isLucky(0.4) ? stepped(pick([5, 10, 15, 20, 30])) : { text: '', set: some(60, below, 1 + below(3)) }
      const hours = isLucky(0.4) ? stepped(1, 24) : { text: '', set: some(24, below, 1 + below(8)) }
      const text = `${minutes.text || minutes.set.join()} ${hours.text || hours.set.join()} * * *`
      const around = pick([
        Date.UTC(2026, 2, 29, 1),
        Date.UTC(2027, 9, 31, 1),
        Date.UTC(2026, 2, 8, 7),
        Date.UTC(2027, 10, 7, 6),
        Date.UTC(2026, 9, 3, 15),
        Date.UTC(2027, 3, 3, 15),
        Date.UTC(2026, 3, 23, 22),
        Date.UTC(2026, 9, 29, 21),
        Date.UTC(2026, 10, 1, 5),
      ])
      const [from, to] = [around - 9 * hour, around + 9 * hour]
      const wanted = counted(minutes.set, hours.set, hours.set.length === 24, minutes.text !== '', timezone, from, to)
      const schedule = createSchedule(text, timezone)
      const found: number[] = []
      for (let slot = schedule.next(from - 1); slot !== null && slot < to; slot = schedule.next(slot)) found.push(slot)
      expect(found, `${text} ${timezone}`).toEqual(wanted)
      const back: number[] = []
      for (let slot = schedule.previous(to); slot !== null && slot >= from; slot = schedule.previous(slot)) back.unshift(slot)
      expect(back, `back ${text} ${timezone}`).toEqual(wanted)
    }
  })
})

const stepped = (step: number, of = 60) => ({
  text: step === 1 ? '*' : `*/${step}`,
  set: Array.from({ length: of / step }, (_, i) => i * step),
})

const some = (of: number, below: (limit: number) => number, count: number): number[] =>
  [...new Set(Array.from({ length: count }, () => below(of)))].toSorted((a, b) => a - b)

/** What the rules say, minute by minute. */
const counted = (
  minutes: readonly number[],
  hours: readonly number[],
  hasEveryHour: boolean,
  hasStar: boolean,
  timezone: string,
  from: number,
  to: number,
): number[] => {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'short',
    hourCycle: 'h23',
  })
  const wallAt = (instant: number): number => {
    const [month = 0, day = 0, year = 0, at = 0, past = 0] = format.format(instant).split(/\D+/).map(Number)
    return Date.UTC(2000 + year, month - 1, day, at, past)
  }
  const isWanted = (wall: number): boolean => {
    const at = new Date(wall)
    return minutes.includes(at.getUTCMinutes()) && hours.includes(at.getUTCHours())
  }
  const slots: number[] = []
  let shownTo = wallAt(from - 3 * hour)
  for (let instant = from - 3 * hour + minute; instant < to; instant += minute) {
    const wall = wallAt(instant)
    let isLost = false
    for (let missing = shownTo + minute; missing < wall; missing += minute) isLost ||= isWanted(missing)
    const isFirst = wall > shownTo
    if (instant >= from && ((isWanted(wall) && (isFirst || hasEveryHour || hasStar)) || (isLost && !hasEveryHour)))
      slots.push(instant)
    shownTo = Math.max(shownTo, wall)
  }
  return slots
}
