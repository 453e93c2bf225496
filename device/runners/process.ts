import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { type Clock, every } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { AdoptOrder, RunEnd, RunHandle, Runner, RunWatcher, StartOrder } from '../runner.ts'
import { commandLineOf, environmentOf, orderText } from './command-line.ts'
import { openFifo } from './fifo.ts'
import { type LiveRun, watchRun } from './live-run.ts'
import { openOutput } from './output.ts'
import { readBootId } from './process-table.ts'
import { claimNotStarted, hasCode, readClaim, releaseShim } from './run-folder.ts'
import shim from './shim.sh'
import { makePipes, openSpares } from './spares.ts'

const goneMark = '.gone-'

export interface ProcessRunnerDeps {
  /** Where the runs have their folders. One daemon at a time works in it. */
  folder: string
  clock: Clock
  log: Log
  /** The daemon's own environment; runs get a few harmless variables of it. */
  env: Readonly<Record<string, string | undefined>>
  /** How often live runs are looked at without being told to. */
  pollMs?: number
}

/**
 * Starts real processes, each under a small shell that outlives the daemon. The watcher is never called from within `start` or
 * `adopt`, and not after `release`.
 */
export const startProcessRunner = ({ folder, clock, log, env, pollMs = 1000 }: ProcessRunnerDeps): Runner & { close(): void } => {
  const boot = readBootId()
  const setsid = findSetsid()
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  prepare(folder, log)
  const spares = openSpares(folder)
  const live = new Map<string, LiveRun>()
  const shims = new Map<string, ChildProcess>()

  let partial = ''
  const wake = openFifo(
    join(folder, '.wake'),
    (bytes) => {
      const lines = (partial + Buffer.from(bytes).toString('latin1')).split('\n')
      partial = lines.pop() ?? ''
      for (const run of new Set(lines.map((line) => line.split(' ', 1)[0] ?? ''))) live.get(run)?.look()
    },
    (error) => log.warn({ err: error }, 'shims cannot be heard'),
  )
  const poll = every(clock, pollMs, () => {
    for (const run of live.values()) run.look()
  })

  const watch = (order: AdoptOrder, watcher: RunWatcher, unclaimed: string, hasShim: boolean): LiveRun => {
    const path = join(folder, order.run)
    const isSameBoot = order.boot === boot
    const hasPipes = isSameBoot && existsSync(join(path, 'err'))
    const output = openOutput({ folder: path, hasPipes, journalled: order.journalled, watcher, clock, log })
    const over = (): void => {
      if (live.get(order.run) === run) live.delete(order.run)
    }
    const run = watchRun({ folder: path, clock, watcher, output, isSameBoot, hasShim, unclaimed, over })
    live.get(order.run)?.release()
    live.set(order.run, run)
    clock.soon(() => {
      if (live.get(order.run) !== run) return
      output.begin()
      run.look()
    })
    return run
  }

  const launch = ({ run, payload, env: variables }: StartOrder, watcher: RunWatcher): RunHandle => {
    const path = join(folder, run)
    spares.place(path)
    const claim = readClaim(path)
    const earlier = { run, boot: (claim.by === 'shim' ? claim.boot : undefined) ?? boot, journalled: { o: 0, e: 0 } }
    if (claim.by !== 'nobody') return watch(earlier, watcher, 'never_started', false)
    const script = join(path, 'script')
    if (payload.script !== undefined) writeFileSync(script, payload.script, { mode: 0o700 })
    const own = environmentOf(env, variables, payload)
    const line = commandLineOf(payload, own, join(path, 'work'), script)
    if (!line.ok) {
      claimNotStarted(path, line.code, line.reason)
      return watch(earlier, watcher, 'never_started', false)
    }
    const order = orderFor(path, orderText(setsid, line.argv, line.cwd))
    const live = watch(earlier, watcher, 'cannot_start: its shim did not begin', true)
    const failed = (error: unknown): void => {
      shims.delete(run)
      claimNotStarted(path, 125, `cannot_start: ${textOf(error)}`)
      live.shimEnded()
    }
    try {
      const child = spawn('/bin/sh', ['../.shim', run], {
        cwd: path,
        env: { ...own, SKEIN_SHIM: `${boot} ${order}` },
        detached: true,
        stdio: 'ignore',
      })
      shims.set(run, child)
      child.once('error', failed)
      child.once('exit', () => {
        shims.delete(run)
        live.shimEnded()
      })
      child.unref()
    } catch (error) {
      clock.soon(() => failed(error))
    }
    return live
  }

  const remove = (gone: string): void => {
    const failed = (error: unknown): void => log.warn({ folder: gone, err: error }, 'folder of a run cannot be removed')
    try {
      if (!spares.takeBack(gone)) rm(gone, { recursive: true, force: true }).catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  return {
    start: (order, watcher) => {
      try {
        return launch(order, watcher)
      } catch (error) {
        // No room, no descriptors: nothing was started, and if it can be written down, nothing ever will be.
        log.warn({ run: order.run, err: error }, 'run cannot be started')
        if (!wasClosed(join(folder, order.run), `cannot_start: ${textOf(error)}`, log)) throw error
        return endedHandle(clock, watcher, { kind: 'not_started', code: 125, reason: `cannot_start: ${textOf(error)}` })
      }
    },
    adopt: (order, watcher) => {
      if (existsSync(join(folder, order.run))) return watch(order, watcher, 'never_started', false)
      // Without a folder nothing was started in this boot; before it, the folder itself may not have reached the disk.
      const isSameBoot = order.boot === boot
      const never: RunEnd = { kind: 'not_started', code: 125, reason: 'never_started' }
      return endedHandle(clock, watcher, isSameBoot ? never : { kind: 'unknown', reason: 'device_rebooted' })
    },
    forget: (run) => {
      live.get(run)?.release()
      try {
        releaseShim(join(folder, run))
        const gone = markGone(join(folder, run))
        if (!gone) return
        const shim = shims.get(run)
        if (shim) shim.once('exit', () => remove(gone))
        else setImmediate(() => remove(gone))
      } catch (error) {
        log.warn({ run, err: error }, 'run cannot be forgotten')
      }
    },
    leftovers: () => readdirSync(folder).filter((name) => !name.startsWith('.')),
    close: () => {
      poll.cancel()
      wake.close()
      for (const run of [...live.values()]) run.release()
    },
  }
}

/** Puts the shim and the pipe through which shims wake the daemon there, and clears away what an earlier daemon had begun to remove. */
const prepare = (folder: string, log: Log): void => {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(goneMark)) rmSync(join(folder, name), { recursive: true, force: true })
  }
  const path = join(folder, '.shim')
  // Running shims keep reading the old file: it is replaced, never overwritten.
  if (!existsSync(path) || readFileSync(path, 'utf8') !== shim) writeFileAtomic(path, shim, 0o600)
  const wake = join(folder, '.wake')
  if (statSync(wake, { throwIfNoEntry: false })?.isFIFO()) return
  rmSync(wake, { force: true })
  makePipes([wake])
  log.debug({ folder }, 'runs have a folder')
}

/** Gives the folder of a run a name under which nobody looks for a run; undefined if there is none. */
const markGone = (folder: string): string | undefined => {
  const gone = join(dirname(folder), goneMark + basename(folder))
  try {
    renameSync(folder, gone)
    return gone
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Claims a run that could not be started. False when a shim has it: then it runs, and must not be reported as anything else. */
const wasClosed = (folder: string, reason: string, log: Log): boolean => {
  try {
    return claimNotStarted(folder, 125, reason)
  } catch (error) {
    log.warn({ folder, err: error }, 'claim cannot be made')
    return true
  }
}

/** A variable may hold 128 KiB: what is longer goes into a file. */
const orderFor = (folder: string, text: string): string => {
  if (Buffer.byteLength(text) < 100_000) return text
  writeFileSync(join(folder, 'order'), text, { mode: 0o600 })
  return '. ./order'
}

const findSetsid = (): string => {
  const places = ['/usr/bin/setsid', '/bin/setsid', '/usr/local/bin/setsid']
  const found = places.find((place) => existsSync(place))
  if (!found) throw new Error(`Cannot start processes: no setsid at ${places.join(', ')}`)
  return found
}

/** The handle of a run of which there is nothing to watch. */
const endedHandle = (clock: Clock, watcher: RunWatcher, end: RunEnd): RunHandle => {
  let isReleased = false
  clock.soon(() => {
    if (!isReleased) watcher.ended(end)
  })
  const nothing = (): void => {}
  const release = (): void => {
    isReleased = true
  }
  return { stop: nothing, pause: nothing, resume: nothing, journalled: nothing, release }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
