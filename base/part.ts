import { configExitCode, readConfig } from './config.ts'
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

/**
 * What every root does: reads its configuration, starts, and closes what it started on SIGTERM, SIGINT or when its parent is
 * gone. `close` is told why. A part that cannot start exits with 1; a bug ends it, and whoever keeps it running starts it again.
 */
export const runPart = async <P extends Part>(
  part: P,
  start: (config: Config<P>, log: Log) => Promise<{ close(why: 'asked' | 'orphaned'): Promise<void> | void }>,
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
  let started: Awaited<ReturnType<typeof start>> | undefined
  const end = (why: 'asked' | 'orphaned'): void => {
    if (closing) return process.exit(1)
    closing = true
    log.info({ why }, 'part ends')
    Promise.resolve(started?.close(why)).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'part could not end in good order')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => end('asked'))
  process.on('SIGINT', () => end('asked'))
  onParentGone(() => end('orphaned'))
  try {
    started = await start(read.config, log)
  } catch (error) {
    if (error instanceof ConfigFault) {
      console.error(`skein ${part}: ${error.key}: ${error.message}`)
      process.exit(configExitCode)
    }
    log.fatal({ err: error }, 'part could not start')
    process.exit(1)
  }
}
