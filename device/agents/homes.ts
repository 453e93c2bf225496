import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../base/log.ts'
import { readRunId } from '../../schemas/ids.ts'

/** What may be gone on with is kept for so long. */
const keepMs = 7 * 24 * 3600 * 1000
/** The name of the conversation, in the words of the agent. */
const sessionFile = '.session'

/**
 * The folders in which agents keep what they need while they run, one for each run: with all that was said, so it goes with the run. It stays for a while if that was
 * asked for, and if its daemon has gone: then the next attempt of the same task takes it over, and goes on with the conversation.
 */
export const openHomes = (folder: string, log: Log) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (Date.now() - statSync(path).mtimeMs > keepMs) rmSync(path, { recursive: true, force: true })
  }
  const pathOf = (run: string): string => join(folder, run)
  const sessionIn = (path: string): string | undefined => {
    const file = join(path, sessionFile)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }

  return {
    /** Makes the folder of a run; with the conversation of the attempt before it, if that was left here. */
    open: (run: string): { path: string; session: string | undefined } => {
      const path = pathOf(run)
      const { task, attempt } = readRunId(run) ?? { task: run, attempt: 1 }
      const before = pathOf(`${task}-${attempt - 1}`)
      if (!existsSync(path) && attempt > 1 && existsSync(before)) renameSync(before, path)
      mkdirSync(path, { recursive: true, mode: 0o700 })
      return { path, session: sessionIn(path) }
    },
    /** The same with the conversation of another run, which can be gone on with again; undefined if that is not here. */
    openFrom: (run: string, other: string): { path: string; session: string } | undefined => {
      const session = sessionIn(pathOf(other))
      if (session === undefined) return undefined
      const path = pathOf(run)
      cpSync(pathOf(other), path, { recursive: true })
      return { path, session }
    },
    /** The agent has a name for its conversation: whoever comes next can go on with it. */
    keepSession: (run: string, session: string): void => {
      try {
        writeFileSync(join(pathOf(run), sessionFile), session, { mode: 0o600 })
      } catch (error) {
        log.warn({ run, err: error }, 'the conversation of an agent cannot be gone on with, should its daemon go')
      }
    },
    remove: (run: string): void => {
      rm(pathOf(run), { recursive: true, force: true, maxRetries: 3 }).catch((error: unknown) =>
        log.warn({ run, err: error }, 'the folder of an agent cannot be removed'),
      )
    },
  }
}
export type Homes = ReturnType<typeof openHomes>
