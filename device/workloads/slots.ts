import { Cron } from 'croner'

/**
 * The instants of a schedule: cron in five fields, six with seconds before them, seven with years behind, or a date.
 *
 * When the clock of its timezone is changed for daylight saving:
 *
 * - A time that does not exist on that day (spring) fires at the first instant after the gap; several of them fire once. So no
 *   daily job loses its day. Where the schedule takes in every hour there is nothing to make up for: the next hour is there.
 * - A time that exists twice (autumn) fires the first time only. A schedule that takes in every hour, or whose minutes begin
 *   with `*`, is one that follows the passing of time: it fires both times.
 *
 * In Europe/Berlin, where 02:00–03:00 is skipped in spring and comes twice in autumn:
 *
 *   30 2 * * *       03:00 in spring, once in autumn
 *   0,30 2 * * *     once at 03:00 in spring; twice, not four times, in autumn
 *   0 *\/2 * * *     03:00 instead of 02:00 in spring, 02:00 once in autumn
 *   *\/5 * * * *     every five minutes that pass
 *   *\/5 22-6 * * *  the same, in the night
 *   0 * * * *        every hour that passes
 */
export interface Schedule {
  /** The first slot after an instant. */
  next(after: number): number | null
  /** The last slot before an instant. */
  previous(before: number): number | null
}

/** Reads a schedule in a timezone. Throws for what is none. */
export const createSchedule = (text: string, timezone: string): Schedule => {
  const once = new Cron(text, { timezone, paused: true }).getOnce()?.getTime()
  if (once !== undefined)
    return {
      next: (after) => (once > after ? once : null),
      previous: (before) => (once < before ? once : null),
    }
  return byTheWall(createWall(text), createZone(timezone))
}

const dayMs = 86_400_000

/** A time as a clock on the wall shows it, in milliseconds as if it were UTC. */
type WallTime = number

interface Wall {
  /** The first time of the schedule that is not before this one. */
  from(low: WallTime): WallTime | null
  /** The last one that is not after this one. */
  to(high: WallTime): WallTime | null
  hasEveryHour: boolean
  followsTime: boolean
}

const createWall = (text: string): Wall => {
  const cron = new Cron(text, { timezone: 'UTC', paused: true })
  const fields = text.trim().split(/\s+/)
  const [minute = '', hour = ''] = fields.length > 5 ? fields.slice(1) : fields
  const hasEveryHour = text.trim().toLowerCase() === '@hourly' || (fields.length >= 5 && isEveryHour(hour))
  return {
    // croner takes whole seconds, and only later or earlier ones.
    from: (low) => cron.nextRun(new Date(low - 1))?.getTime() ?? null,
    to: (high) => cron.previousRuns(1, new Date((Math.floor(high / 1000) + 1) * 1000))[0]?.getTime() ?? null,
    hasEveryHour,
    followsTime: hasEveryHour || (fields.length >= 5 && minute.startsWith('*')),
  }
}

const isEveryHour = (field: string): boolean => {
  const midnight = Date.UTC(2026, 0, 1)
  const hours = new Cron(`0 ${field} * * *`, { timezone: 'UTC', paused: true }).nextRuns(24, new Date(midnight - 1))
  return hours.length === 24 && (hours[23]?.getTime() ?? Number.POSITIVE_INFINITY) < midnight + dayMs
}

/** A stretch of time in which the clock of a zone is not changed. */
interface Stretch {
  from: number
  to: number
  /** What is added to UTC for the time on the wall. */
  offsetMs: number
  /** What was added just before it. */
  beforeMs: number
  /** Times on the wall before this one have been shown before this stretch; none, if the clock was last put forward. */
  shownBefore: WallTime
}

interface Zone {
  at(instant: number): Stretch
}

const blockMs = 32 * dayMs

const createZone = (timezone: string): Zone => {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' })
  const offsetAt = (instant: number): number => {
    const [, sign, hours, minutes, seconds] = /GMT([+-])(\d+):(\d+)(?::(\d+))?/.exec(format.format(instant)) ?? []
    const ms = (Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1000
    return sign === '-' ? -ms : ms
  }
  const blocks = new Map<number, Stretch[]>()
  const block = (index: number): Stretch[] => {
    const known = blocks.get(index)
    if (known) return known
    if (blocks.size > 100) blocks.clear()
    const stretches = stretchesOf(offsetAt, index * blockMs, (index + 1) * blockMs)
    blocks.set(index, stretches)
    return stretches
  }
  return {
    at: (instant) => {
      const found = block(Math.floor(instant / blockMs)).find(({ from, to }) => from <= instant && instant < to)
      if (!found) throw new Error(`Cannot tell the time in ${timezone} at ${instant}`)
      return found
    },
  }
}

const stretchesOf = (offsetAt: (instant: number) => number, from: number, to: number): Stretch[] => {
  // From two days earlier: what is shown twice may reach into the block.
  let now: Stretch = {
    from: from - 2 * dayMs,
    to,
    offsetMs: offsetAt(from - 2 * dayMs),
    beforeMs: offsetAt(from - 2 * dayMs),
    shownBefore: Number.NEGATIVE_INFINITY,
  }
  const stretches = [now]
  for (let day = now.from; day < to; day += dayMs) {
    if (offsetAt(day + dayMs) === now.offsetMs) continue
    const change = firstOther(offsetAt, day, day + dayMs)
    if (change >= to) break
    const offsetMs = offsetAt(change)
    now.to = change
    const shownBefore = offsetMs < now.offsetMs ? change + now.offsetMs : Number.NEGATIVE_INFINITY
    now = { from: change, to, offsetMs, beforeMs: now.offsetMs, shownBefore }
    stretches.push(now)
  }
  return stretches
    .filter((stretch) => stretch.to > from)
    .map((stretch) => (stretch.from < from ? { ...stretch, from, beforeMs: stretch.offsetMs } : stretch))
}

/** The first second at which the offset is not what it is at `low`. */
const firstOther = (offsetAt: (instant: number) => number, low: number, high: number): number => {
  const old = offsetAt(low)
  let [same, other] = [low, high]
  while (other - same > 1000) {
    const middle = Math.floor((same + other) / 2000) * 1000
    if (offsetAt(middle) === old) same = middle
    else other = middle
  }
  return other
}

const byTheWall = (wall: Wall, zone: Zone): Schedule => {
  const floor = (stretch: Stretch): WallTime => (wall.followsTime ? Number.NEGATIVE_INFINITY : stretch.shownBefore)

  const makesUpAtStart = (stretch: Stretch): boolean => {
    if (stretch.offsetMs <= stretch.beforeMs || wall.hasEveryHour) return false
    const lost = wall.from(stretch.from + stretch.beforeMs)
    return lost !== null && lost < stretch.from + stretch.offsetMs
  }

  const firstIn = (stretch: Stretch, low: number): number | null => {
    if (low === stretch.from && makesUpAtStart(stretch)) return low
    const time = wall.from(Math.max(low + stretch.offsetMs, floor(stretch)))
    return time !== null && time - stretch.offsetMs < stretch.to ? time - stretch.offsetMs : null
  }

  const lastIn = (stretch: Stretch, high: number): number | null => {
    const time = wall.to(high + stretch.offsetMs)
    if (time !== null && time >= floor(stretch) && time - stretch.offsetMs >= stretch.from) return time - stretch.offsetMs
    return makesUpAtStart(stretch) ? stretch.from : null
  }

  return {
    next: (after) => {
      let low = Math.floor(after) + 1
      for (;;) {
        const stretch = zone.at(low)
        const slot = firstIn(stretch, low)
        if (slot !== null) return slot
        // Nothing can be before the next time on the wall, give or take what clocks are changed by: a schedule may rest for years.
        const time = wall.from(low + stretch.offsetMs - dayMs)
        if (time === null) return null
        low = Math.max(stretch.to, time - 2 * dayMs)
      }
    },
    previous: (before) => {
      let high = Math.ceil(before) - 1
      for (;;) {
        const stretch = zone.at(high)
        const slot = lastIn(stretch, high)
        if (slot !== null) return slot
        const time = wall.to(high + stretch.offsetMs + dayMs)
        if (time === null) return null
        high = Math.min(stretch.from - 1, time + 2 * dayMs)
      }
    },
  }
}
