import { type Command, InvalidArgumentError } from 'commander'
import type { GlobalFlags } from './io.ts'
import type { RunFlags } from './run.ts'

/** Adds the flags that every verb takes; they may stand before or after it. */
export const withGlobals = (command: Command, timeoutName = 'timeout'): Command =>
  command
    .option('--json', 'print one JSON document instead of text')
    .option('--url <url>', 'the broker, as in mqtt://127.0.0.1:1883 (SKEIN_URL)')
    .option('--token <token>', 'the token (SKEIN_TOKEN)')
    .option('--fleet <name>', 'the fleet (SKEIN_FLEET)')
    .option(
      '--tls-ca <file>',
      'the certificate of the broker or its authority (PEM), if the system does not trust it (SKEIN_TLS_CA)',
    )
    .option('--login <how>', 'token, or digest at a broker with users of its own (SKEIN_LOGIN)')
    .option('--data <folder>', 'where "skein up" left addresses and token (SKEIN_DATA, default ./.skein)')
    .option('--profile <name>', 'a profile by name (SKEIN_PROFILE)')
    .option(`--${timeoutName} <seconds>`, 'how long to try to reach the controller (default 10)', secondsFlag)

/** Those of a verb that asks only the device on this machine. */
export const withLocalGlobals = (command: Command, timeoutName = 'timeout'): Command =>
  command
    .option('--json', 'print one JSON document instead of text')
    .option('--data <folder>', 'the data folder of the device (SKEIN_DATA, default ./.skein, or else /var/lib/skein)')
    .option(`--${timeoutName} <seconds>`, 'how long to try to reach the device (default 10)', secondsFlag)

/** Of a verb that submits tasks. */
export const dryRunAbout = 'only tell which devices would take it, and why the others would not'

/** Those of a verb that submits one task: `run` and `agent`. Their --timeout is the work's. */
export const withTaskFlags = (command: Command): Command =>
  withGlobals(command, 'connect-timeout')
    .option('--device <name>', 'on this device')
    .option('--selector <selector>', 'on a device that matches, as in role=builder,region in (eu,us)')
    .option('--timeout <seconds>', 'how long the work may take', secondsFlag)
    .option('--env <name=value>', 'set a variable (repeatable)', pairFlag)
    .option('--cwd <folder>', 'work in this folder')
    .option('--detach', 'print the id of the task and leave')
    .option('--dry-run', dryRunAbout)
    .option('--priority <priority>', 'critical, high, medium or low')
    .option('--retries <count>', 'try again so often if it fails', wholeFlag)
    .option('--name <name>', 'a name for it, kept as metadata.name')
    .option('--tag <tag>', 'a tag (repeatable)', severalFlag)

/** The global flags of a verb: its own beat those that stand further left. */
export const flagsOf = (command: Command): GlobalFlags => {
  const outer: GlobalFlags = command.parent ? flagsOf(command.parent) : {}
  const { json, url, token, fleet, tlsCa, login, data, profile, timeout } = command.opts<GlobalFlags>()
  const given = { json, url, token, fleet, tlsCa, login, data, profile, timeout }
  const own = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...outer, ...Object.fromEntries(own) }
}

/** Inside `run`, `agent` and `exec` --timeout is the work's; the connection's goes by another name, or stands further left. */
export const runFlagsOf = <F extends RunFlags = RunFlags>(command: Command): F => {
  const { timeout: workTimeout, connectTimeout, ...own } = command.opts<F & { connectTimeout?: number }>()
  const outer: GlobalFlags = command.parent ? flagsOf(command.parent) : {}
  const timeout = connectTimeout ?? outer.timeout
  return {
    ...outer,
    ...own,
    ...(timeout === undefined ? {} : { timeout }),
    ...(workTimeout === undefined ? {} : { workTimeout }),
  } as F // its other fields are the verb's own options
}

export const secondsFlag = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0) || value > 366 * 24 * 3600)
    throw new InvalidArgumentError('It must be a number of seconds above 0.')
  return value
}

/** How many seconds a unit of time has. */
export const unitSeconds = { d: 86_400, h: 3600, min: 60, m: 60, s: 1 } as const

/** The seconds of a length of time with its unit: `7d`, `12h`, `30min`, `90s`; undefined for any other text. */
export const secondsOfAge = (text: string): number | undefined => {
  const [, count, unit] = /^(\d{1,9})(d|h|min|m|s)$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * unitSeconds[unit as keyof typeof unitSeconds] // the expression lets no other through
}

export const ageFlag = (text: string): number => {
  const seconds = secondsOfAge(text)
  if (seconds === undefined) throw new InvalidArgumentError('It must be like 7d, 12h, 30min or 90s.')
  return seconds
}

/** A length of time: with its unit, or in seconds. */
export const spanFlag = (text: string): number => {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : secondsOfAge(text)
  if (seconds === undefined) throw new InvalidArgumentError('It must be like 30s, 5min, 2h, or a number of seconds.')
  return seconds
}

export const numberFlag = (text: string): number => {
  if (!/^\d{1,9}(\.\d{1,9})?$/.test(text)) throw new InvalidArgumentError('It must be a number.')
  return Number(text)
}

export const wholeFlag = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

export const limitFlag = (text: string): number => {
  const value = wholeFlag(text)
  if (value < 1 || value > 1000) throw new InvalidArgumentError('It must be from 1 to 1000.')
  return value
}

export const pairFlag = (text: string, before: Record<string, string> = {}): Record<string, string> => {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It must be NAME=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

export const severalFlag = (text: string, before: string[] = []): string[] => [...before, text]
