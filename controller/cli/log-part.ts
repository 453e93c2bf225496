import type { Command } from 'commander'
import { CliFailure, exitCodes } from './exit.ts'
import { secondsOfAge, wholeFlag } from './flags.ts'

/** What part of a log is shown. Without any of it that is for each verb to say. */
export interface LogPart {
  after?: number
  before?: number
  tail?: number
  since?: string
  until?: string
}

/** The flags of a part of a log, the same for each verb that shows one; `tail` says what that one means. */
export const withLogPart = (command: Command, tail: string): Command =>
  command
    .option('-n, --tail <lines>', tail, wholeFlag)
    .option('--after <number>', 'only the records behind this one, by the numbers that --json shows; 0 for all', wholeFlag)
    .option('--before <number>', 'only the records before this one', wholeFlag)
    .option('--since <time>', 'only from then on: ISO 8601, or an age such as 10m')
    .option('--until <time>', 'only up to then')

/** Where the part ends, and from which time it begins: the same for each page of an answer. */
export const spanOf = ({ before, since, until }: LogPart, now: number): Pick<LogPart, 'before' | 'since' | 'until'> => ({
  ...(before === undefined ? {} : { before }),
  ...(since === undefined ? {} : { since: instantFlag('since', since, now) }),
  ...(until === undefined ? {} : { until: instantFlag('until', until, now) }),
})

/** An instant, or how long ago: `10m`. */
const instantFlag = (name: string, text: string, now: number): string => {
  const seconds = secondsOfAge(text)
  const at = seconds === undefined ? Date.parse(text) : now - seconds * 1000
  if (Number.isNaN(at))
    throw new CliFailure(exitCodes.usage, 'invalid', `--${name}: "${text}" is no time; it is like 2030-01-31T12:00:00Z, or 10m`)
  return new Date(at).toISOString()
}
