import { Cron } from 'croner'
import { nearest } from './faults.ts'

/** What a schedule may look like, as it is told to those who wrote another. */
export const acceptedSchedules = [
  'five fields, as in "*/5 * * * *"',
  'six with seconds first',
  '@hourly, @daily, @weekly, @monthly, @yearly',
]

/** What is wrong with a cron expression; undefined if it fires some day. */
export const scheduleFault = (schedule: string): string | undefined => {
  const words = schedule.trim().split(/\s+/)
  // An instant would be taken as well, as a schedule of one firing; seven fields end with a year.
  const isForm = words.length === 5 || words.length === 6 || /^@[a-z]+$/i.test(schedule.trim())
  if (!isForm) return `must be a cron expression of 5 or 6 fields, not ${JSON.stringify(schedule)}`
  try {
    // What can fire at all does so within the 400 years after which the calendar begins anew.
    return cronOf(schedule, 'UTC').nextRun(new Date(0))
      ? undefined
      : `never fires: no year has such a day (${JSON.stringify(schedule)})`
  } catch (error) {
    return `must be a cron expression: ${reasonOf(error)} in ${JSON.stringify(schedule)}`
  }
}

/** What is wrong with the name of a timezone; undefined if this machine knows it. */
export const timezoneFault = (timezone: string): { message: string; near: string | undefined } | undefined => {
  try {
    // Offsets such as +02:00 are known to newer Nodes only, and know no daylight saving.
    if (/^[A-Za-z]/.test(timezone) && new Intl.DateTimeFormat('en', { timeZone: timezone })) return undefined
  } catch {
    // The refusal is the answer: it is told below, with the name that was meant.
  }
  const near = nearest(timezone, [...Intl.supportedValuesOf('timeZone'), 'UTC'])
  return { message: near ? `no such timezone, did you mean "${near}"?` : 'must be a timezone, as in Europe/Berlin or UTC', near }
}

/** The first firing after an instant; in the timezone of this machine if none is given. Both must have been found good. */
export const nextFiring = (schedule: string, timezone: string | undefined, afterMs: number): number | undefined =>
  cronOf(schedule, timezone).nextRun(new Date(afterMs))?.getTime()

const cronOf = (schedule: string, timezone: string | undefined): Cron =>
  new Cron(schedule.trim(), { paused: true, mode: '5-or-6-parts', ...(timezone === undefined ? {} : { timezone }) })

/** Days and months are told one too low, so the value is left out. */
const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  return message
    .replace(/^CronPattern: /, '')
    .replace(/^(Invalid value for \w+): .*$/, '$1')
    .replace(/\.$/, '')
    .replace(/^./, (first) => first.toLowerCase())
}
