const minute = 60
const hour = 60 * minute
const day = 24 * hour

/** How long ago, or how far ahead, in a few words: `just now`, `40 s ago`, `in 3 min`, `2 days ago`. Times are milliseconds. */
export const relativeTime = (at: number, now: number): string => {
  const seconds = Math.round((now - at) / 1000)
  if (Math.abs(seconds) < 5) return 'just now'
  const amount = amountOf(Math.abs(seconds))
  return seconds > 0 ? `${amount} ago` : `in ${amount}`
}

const amountOf = (seconds: number): string => {
  // In steps of five, so that a page full of them is not in motion all the time.
  if (seconds < minute) return `${Math.floor(seconds / 5) * 5} s`
  if (seconds < hour) return `${Math.floor(seconds / minute)} min`
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)} h`
  return `${Math.floor(seconds / day)} days`
}

/** The instant in full, in the time of the reader's own zone: `2026-11-21 19:38:51 (UTC+01:00)`. */
export const exactTime = (at: number): string => {
  const date = new Date(at)
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${clockTime(at)} (UTC${offsetOf(-date.getTimezoneOffset())})`
}

/** The time of day: `19:38:51`. */
export const clockTime = (at: number): string => {
  const date = new Date(at)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** An instant at the edge of a chart: `19:38`, and with its day where there are several. */
export const edgeTime = (at: number, withDay: boolean): string => {
  const time = clockTime(at).slice(0, 5)
  if (!withDay) return time
  const date = new Date(at)
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

const offsetOf = (minutes: number): string =>
  `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`

const two = (value: number): string => String(value).padStart(2, '0')

/** The last instant that a date can be. */
const lastMs = 8.64e15

/** An instant of the wire, ISO 8601 or milliseconds, as milliseconds; null for none and for what is no instant. */
export const msOf = (at: string | number | null | undefined): number | null => {
  if (at === null || at === undefined) return null
  const ms = typeof at === 'number' ? at : Date.parse(at)
  return Math.abs(ms) <= lastMs ? ms : null
}
