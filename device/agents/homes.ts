import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../base/log.ts'
import { readRunId } from '../../schemas/ids.ts'

/** What may be gone on with is kept for so long. */
const keepMs = 7 * 24 * 3600 * 1000
/** What agents have left stays longer. */
const keepArtifactsMs = 30 * 24 * 3600 * 1000
const sweepMs = 3_600_000

/**
 * The folders in which agents keep what they need while they run, one for each run: with all that was said, so it goes with the run. It stays for a while if that was
 * asked for, and if its daemon has gone: then the next attempt of the same task takes it over, and goes on with the conversation. What the agent calls that stands
 * beside its folder, not in it: that may be another user's.
 */
export const openHomes = (folder: string, artifacts: string, log: Log) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pathOf = (run: string): string => join(folder, run)
  const sessionFileOf = (run: string): string => join(folder, `${run}.session`)
  const sessionOf = (run: string): string | undefined => {
    const file = sessionFileOf(run)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  }
  /** They are at work: however long that takes, what they have stays. */
  const live = new Set<string>()
  let sweptAt = 0

  const sweep = (): void => {
    sweptAt = Date.now()
    for (const [where, ms] of [
      [folder, keepMs],
      [artifacts, keepArtifactsMs],
    ] as const) {
      for (const name of existsSync(where) ? readdirSync(where) : []) {
        if (live.has(name.replace(/\.session$/, ''))) continue
        const path = join(where, name)
        try {
          if (Date.now() - statSync(path).mtimeMs > ms) rmSync(path, { recursive: true, force: true })
        } catch (error) {
          log.warn({ path, err: error }, 'what an agent has left cannot be removed')
        }
      }
    }
  }
  const sweepNowAndThen = (): void => {
    if (Date.now() - sweptAt > sweepMs) sweep()
  }
  sweep()

  return {
    sweep,
    /** Makes the folder of a run; with the conversation of the attempt before it, if that was left here. */
    open: (run: string): { path: string; session: string | undefined } => {
      sweepNowAndThen()
      live.add(run)
      const path = pathOf(run)
      const { task, attempt } = readRunId(run) ?? { task: run, attempt: 1 }
      const before = `${task}-${attempt - 1}`
      if (!existsSync(path) && attempt > 1 && existsSync(pathOf(before))) {
        renameSync(pathOf(before), path)
        if (existsSync(sessionFileOf(before))) renameSync(sessionFileOf(before), sessionFileOf(run))
      }
      mkdirSync(path, { recursive: true, mode: 0o700 })
      return { path, session: sessionOf(run) }
    },
    /** The same with the conversation of another run, which can be gone on with again; undefined if that is not here. */
    openFrom: (run: string, other: string): { path: string; session: string } | undefined => {
      sweepNowAndThen()
      const session = sessionOf(other)
      if (session === undefined || !existsSync(pathOf(other))) return undefined
      live.add(run)
      const path = pathOf(run)
      // Pipes and sockets that an agent has left are no part of what was said.
      const filter = (one: string): boolean => {
        const stat = statSync(one, { throwIfNoEntry: false })
        return stat !== undefined && (stat.isDirectory() || stat.isFile())
      }
      cpSync(pathOf(other), path, { recursive: true, filter })
      return { path, session }
    },
    /** The agent has a name for its conversation: whoever comes next can go on with it. */
    keepSession: (run: string, session: string): void => {
      try {
        writeFileSync(sessionFileOf(run), session, { mode: 0o600 })
      } catch (error) {
        log.warn({ run, err: error }, 'the conversation of an agent cannot be gone on with, should its daemon go')
      }
    },
    /** It has ended; somebody may go on with what it said. */
    keep: (run: string): void => {
      live.delete(run)
    },
    remove: (run: string): void => {
      live.delete(run)
      for (const path of [pathOf(run), sessionFileOf(run)])
        rm(path, { recursive: true, force: true, maxRetries: 3 }).catch((error: unknown) =>
          log.warn({ run, err: error }, 'the folder of an agent cannot be removed'),
        )
    },
  }
}
export type Homes = ReturnType<typeof openHomes>
