import { figures, type Hour, hourOf, minuteMs, valueAt } from './hours.ts'

/** What is asked for: so many steps of so many minutes, from a minute on that is counted since 1970. */
export interface Window {
  from: number
  step: number
  points: number
}

/** Finds the steps for a span of time: whole minutes from whole multiples of them, so that the same step always begins at the same instant. */
export const windowOf = (
  { since, until, points }: { since: number; until: number; points: number },
  now: number,
  keepMs: number,
): Window => {
  // The minute under way is the last one.
  const end = until < now ? Math.ceil(until / minuteMs) : Math.floor(now / minuteMs) + 1
  const from = Math.max(since, now - keepMs)
  const minutes = Math.max(0, Math.ceil((Math.min(until, now) - from) / minuteMs))
  if (minutes === 0) return { from: end, step: 1, points: 0 }
  const step = Math.ceil(minutes / points)
  const last = Math.ceil(end / step) * step
  const count = Math.min(points, Math.ceil((last - end + minutes) / step))
  return { from: last - count * step, step, points: count }
}

/** The means of each step: a list for each of the figures. */
export const seriesOf = ({ from, step, points }: Window, hourAt: (hour: number) => Hour | undefined): (number | null)[][] => {
  const hours = new Map<number, Hour | undefined>()
  for (let hour = hourOf(from); hour <= hourOf(from + step * points - 1); hour++) hours.set(hour, hourAt(hour))
  return figures.map((_, figure) =>
    Array.from({ length: points }, (_, point) => {
      let [sum, count] = [0, 0]
      for (let minute = from + point * step; minute < from + (point + 1) * step; minute++) {
        const hour = hours.get(hourOf(minute))
        const value = hour ? valueAt(hour, minute, figure) : null
        if (value !== null) [sum, count] = [sum + value, count + 1]
      }
      // Whole numbers are as exact as what is kept, and short: a message has to hold a hundred devices.
      return count === 0 ? null : Math.round(sum / count)
    }),
  )
}
