import { configExitCode, readConfig } from './config.ts'
import { exits } from './exit-codes.ts'
import { type Log, startLog } from './log.ts'
import { onParentGone } from './parent.ts'
import type { Config, Part } from './settings.ts'

/** Thrown by a part that cannot start with what it was given: told in one line, like every other fault of a configuration. */
export class ConfigFault extends Error {
  readonly key: string
  constructor(key: string, message: string) {
    super(message)
    this.key = key
  }
}

/** Why a part ends: by SIGTERM or SIGINT, its parent is gone, another one is to take over (SIGHUP), or for good, as it was asked itself. */
export type WhyEnd = 'asked' | 'orphaned' | 'replaced' | 'requested'

const exitOf: Record<WhyEnd, number> = { asked: 0, orphaned: 0, replaced: exits.replaceMe, requested: exits.endedOnRequest }

export interface Started {
  close(why: WhyEnd): Promise<void> | void
  /** It is closing, and that is to be soon. */
  hurry?(): void
}

/**
 * What every root does: reads its configuration, starts, and closes what it started on SIGTERM, SIGINT or when its parent is
 * gone; a device on SIGHUP too. `close` is told why; `end` ends the part from within. Whoever asks again is in a hurry: the part is told
 * so, and the next time, or if there is nothing that it can hurry with, it goes at once. A part that cannot start exits with 1; a bug ends
 * it, and whoever keeps it running starts it again.
 */
export const runPart = async <P extends Part>(
  part: P,
  start: (config: Config<P>, log: Log, end: (why: WhyEnd) => void) => Promise<Started>,
): Promise<void> => {
  const read = readConfig(part, { argv: process.argv.slice(2), env: process.env })
  if (read.kind === 'help') return void process.stdout.write(read.text)
  if (read.kind === 'wrong') {
    for (const { key, message } of read.problems) console.error(`skein ${part}: ${key}: ${message}`)
    process.exitCode = configExitCode
    return
  }
  const log = startLog(part, String('log_level' in read.config ? read.config.log_level : 'info'))
  const usualLevel = log.level
  process.on('SIGUSR2', () => {
    log.level = log.level === 'debug' ? usualLevel : 'debug'
    log.warn({ level_now: log.level }, 'the level of the log was changed by a signal')
  })
  let closing = false
  let hurried = false
  let started: Started | undefined
  const hurry = (): void => {
    if (hurried || !started?.hurry) process.exit(1)
    hurried = true
    log.warn('it was asked again, and does not wait for any grace')
    started.hurry()
  }
  const end = (why: WhyEnd): void => {
    if (closing) return why === 'asked' ? hurry() : undefined
    closing = true
    log.info({ why }, 'part ends')
    Promise.resolve(started?.close(why)).then(
      () => process.exit(exitOf[why]),
      (error: unknown) => {
        log.error({ err: error }, 'part could not end in good order')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => end('asked'))
  process.on('SIGINT', () => end('asked'))
  if (part === 'device') process.on('SIGHUP', () => end('replaced'))
  onParentGone(() => end('orphaned'))
  try {
    started = await start(read.config, log, end)
  } catch (error) {
    if (error instanceof ConfigFault) {
      console.error(`skein ${part}: ${error.key}: ${error.message}`)
      process.exit(configExitCode)
    }
    log.fatal({ err: error }, 'part could not start')
    process.exit(1)
  }
}
