import { constants, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { type Clock, every } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { AdoptOrder, RunEnd, RunHandle, Runner, RunWatcher, StartOrder } from '../runner.ts'
import { commandLineOf, environmentOf, programText } from './command-line.ts'
import { findAbilities } from './confinement/abilities.ts'
import { openCgroups } from './confinement/cgroups.ts'
import { type Confined, confine } from './confinement/confine.ts'
import { type Kept, keepSetup, readSetup } from './confinement/kept.ts'
import { openProcessView } from './confinement/process-view.ts'
import { openFifo } from './fifo.ts'
import { type LiveRun, watchRun } from './live-run.ts'
import { openNewSession } from './new-session.ts'
import { openOutput } from './output.ts'
import { lookTogether, readBootId } from './process-table.ts'
import { claimNotStarted, isLackOfRoom, readClaim, releaseShim } from './run-folder.ts'
import { openShims } from './shims.ts'
import { makePipes } from './spare-folders.ts'

/** With fewer lines than this from shims within `lately` they are heard at once. */
const crowd = 64
const lately = 100
/** Of those whose shims tell, one in so many is looked at in a poll: to look at 100 takes 2.3 ms. */
const seldom = 10

export interface ProcessRunnerDeps {
  /** Where the runs have their folders. One daemon at a time works in it. */
  folder: string
  /** The data folder, or a part of it around the former: what lies in it is the device's to open for the users of runs. */
  data?: string
  clock: Clock
  log: Log
  /** The daemon's own environment; runs get a few harmless variables of it. */
  env: Readonly<Record<string, string | undefined>>
  /** How often live runs are looked at without being told to. */
  pollMs?: number
}

export interface ProcessRunner extends Runner {
  /** What of a setup it can enforce, in the words of a birth message. */
  capabilities(): readonly string[]
  /** From now on nothing that is stopped is given time to end by itself, and what is being stopped is killed. */
  hurry(): void
  close(): void
}

/**
 * Starts real processes, each under a small shell that outlives the daemon. The watcher is never called from within `start` or
 * `adopt`, and not after `release`.
 */
export const startProcessRunner = ({ folder, data, clock, log, env, pollMs = 1000 }: ProcessRunnerDeps): ProcessRunner => {
  const boot = readBootId()
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Before there is a shim: where the daemon has to leave its cgroup its shims are to go along.
  const cgroups = openCgroups(resolve(folder), clock, log)
  const abilities = findAbilities(cgroups)
  const confining = { cgroups, abilities, data: resolve(data ?? dirname(folder)) }
  const view = openProcessView(clock.mono)
  const newSession = openNewSession(folder, log)
  const wakePath = join(folder, '.wake')
  makeWake(wakePath)
  const live = new Map<string, LiveRun>()
  let isInHurry = false
  const inputs = new Map<string, Writable>()
  const shims = openShims({
    runs: folder,
    boot,
    wake: wakePath,
    clock,
    log,
    ended: (run, { error, lackedRoom }) => {
      if (error) claimNotStarted(join(folder, run), 125, `cannot_start: ${error.message}`)
      live.get(run)?.shimEnded(lackedRoom)
    },
  })

  let partial = ''
  /** How many lines have come lately: what is long ago counts less and less. */
  let heard = 0
  let heardAt = 0
  const wake = openFifo({
    path: wakePath,
    take: (bytes) => {
      const lines = (partial + Buffer.from(bytes).toString('latin1')).split('\n')
      partial = lines.pop() ?? ''
      const now = clock.mono()
      heard = heard * Math.exp((heardAt - now) / lately) + lines.length
      heardAt = now
      const looks = new Set<string>()
      for (const line of lines) {
        const [run = '', word] = line.split(' ')
        if (word === 'left') shims.left(run)
        else looks.add(run)
      }
      lookTogether(() => {
        for (const run of looks) live.get(run)?.look()
      })
    },
    failed: (error) => log.warn({ err: error }, 'shims cannot be heard'),
    clock,
    // Of many short runs several are heard together, which is less work; the end of one among 100 services is not kept waiting.
    restMs: () => (heard < crowd ? 0 : Math.min(heard / 12, live.size / 4, 20)),
  })
  wake.resume()
  let polls = 0
  const poll = every(clock, pollMs, () => {
    view.update()
    polls++
    for (const [i, run] of [...live.values()].entries()) if (!run.isHeard() || (i + polls) % seldom === 0) run.look()
  })

  const watch = (order: AdoptOrder, watcher: RunWatcher, unclaimed: string, hasShim: boolean, kept?: Kept): LiveRun => {
    const path = join(folder, order.run)
    const isSameBoot = order.boot === boot
    const hasPipes = kept?.hasPipes !== false && isSameBoot && existsSync(join(path, 'err'))
    const output = openOutput({ folder: path, hasPipes, watcher, clock, log })
    const over = (): void => {
      if (live.get(order.run) === run) live.delete(order.run)
    }
    const run = watchRun({
      run: order.run,
      folder: path,
      kept,
      view,
      clock,
      isInHurry: () => isInHurry,
      watcher,
      output,
      isSameBoot,
      hasShim,
      unclaimed,
      over,
    })
    live.get(order.run)?.release()
    live.set(order.run, run)
    clock.soon(() => {
      if (live.get(order.run) !== run) return
      output.begin()
      run.look()
    })
    return run
  }

  const launch = ({ run, payload, env: variables, setup, hasInput }: StartOrder, watcher: RunWatcher): RunHandle => {
    const path = join(folder, run)
    const claim = readClaim(path)
    const earlier = { run, boot: (claim.by === 'shim' ? claim.boot : undefined) ?? boot }
    if (claim.by !== 'nobody') return watch(earlier, watcher, 'never_started', false, readSetup(path, setup !== undefined))
    const serve = shims.place(run)
    const script = join(path, 'script')
    if (payload.script !== undefined) writeFileSync(script, payload.script, { mode: 0o700 })
    const refuse = (code: number, reason: string): RunHandle => {
      if (claimNotStarted(path, code, reason) === 'no-room') return noRoomHandle(clock, watcher)
      return watch(earlier, watcher, 'never_started', false)
    }
    let confined: Confined | undefined
    if (setup !== undefined) {
      const prepared = confine(confining, run, resolve(path), setup)
      if (!prepared.ok) return refuse(125, prepared.reason)
      confined = prepared
      keepSetup(path, confined.kept)
    }
    const own = environmentOf(confined ? { ...env, ...confined.env } : env, variables, payload)
    const line = commandLineOf(payload, own, confined?.work ?? join(path, 'work'), script)
    if (!line.ok) return refuse(line.code, line.reason)
    const program = confined ? confined.wrap(line, line.cwd, payload.script === undefined ? undefined : resolve(script)) : line
    const input = hasInput ? openInput(join(path, 'in')) : undefined
    const live = watch(earlier, watcher, 'cannot_start: its shim did not begin', true, confined?.kept)
    if (input) inputs.set(run, input)
    serve((confined?.before ?? '') + programText(own, line.cwd, newSession.wordsFor(program)))
    return input ? Object.assign(live, { input }) : live
  }

  return {
    start: (order, watcher) => {
      try {
        return launch(order, watcher)
      } catch (error) {
        // No room, no descriptors: nothing was started.
        const reason = `cannot_start: ${textOf(error)}`
        log.warn({ run: order.run, err: error }, 'run cannot be started')
        const path = join(folder, order.run)
        if (isLackOfRoom(error) && readClaim(path).by === 'nobody') return noRoomHandle(clock, watcher)
        const claim = claimAnyhow(path, reason, log)
        if (claim === 'no-room') return noRoomHandle(clock, watcher)
        // A shim has it: then it runs, and must not be reported as anything else.
        if (claim === 'exists') throw error
        return endedHandle(clock, watcher, { kind: 'not_started', code: 125, reason })
      }
    },
    adopt: (order, watcher) => {
      const path = join(folder, order.run)
      if (existsSync(path)) return watch(order, watcher, 'never_started', false, readSetup(path, order.hasSetup === true))
      // Without a folder nothing was started in this boot; before it, the folder itself may not have reached the disk.
      const isSameBoot = order.boot === boot
      const never: RunEnd = { kind: 'not_started', code: 125, reason: 'never_started' }
      return endedHandle(clock, watcher, isSameBoot ? never : { kind: 'unknown', reason: 'device_rebooted' })
    },
    forget: (run) => {
      live.get(run)?.release()
      inputs.get(run)?.destroy()
      inputs.delete(run)
      try {
        const path = join(folder, run)
        const cgroup = readSetup(path, false)?.cgroup
        releaseShim(path)
        shims.withdraw(run)
        if (cgroup) cgroups.remove(cgroup)
      } catch (error) {
        log.warn({ run, err: error }, 'run cannot be forgotten')
      }
    },
    leftovers: () => readdirSync(folder).filter((name) => !name.startsWith('.')),
    lacks: abilities.lacks,
    capabilities: abilities.list,
    hurry: () => {
      isInHurry = true
      for (const run of live.values()) run.hurry()
    },
    close: () => {
      poll.cancel()
      wake.close()
      for (const run of [...live.values()]) run.release()
      shims.close()
      cgroups.close()
    },
  }
}

/** The pipe that a program reads from. It is open for reading as well, so that it can be opened before the program has. */
const openInput = (path: string): Writable => {
  // An earlier start may have come so far.
  if (!existsSync(path)) makePipes([path])
  // Not written in place because the type of the constructor does not say that a pipe may be written to only.
  const options = { fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), readable: false, writable: true }
  const socket = new Socket(options)
  // Who does not listen any more has ended, which is told elsewhere.
  return socket.on('error', () => undefined)
}

/** The pipe through which shims wake the daemon. Those of runs that go on have it open, so it is used again. */
const makeWake = (path: string): void => {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO()) return
  rmSync(path, { force: true })
  makePipes([path])
}

/** Claims a run that could not be started, as far as a claim can be made. */
const claimAnyhow = (folder: string, reason: string, log: Log): ReturnType<typeof claimNotStarted> => {
  try {
    return claimNotStarted(folder, 125, reason)
  } catch (error) {
    log.warn({ folder, err: error }, 'claim cannot be made')
    return 'made'
  }
}

/** The handle of a run of which there is nothing to watch. */
const endedHandle = (clock: Clock, watcher: RunWatcher, end: RunEnd): RunHandle => handleOf(clock, () => watcher.ended(end))
const noRoomHandle = (clock: Clock, watcher: RunWatcher): RunHandle => handleOf(clock, () => watcher.noRoom())

const handleOf = (clock: Clock, tell: () => void): RunHandle => {
  let isReleased = false
  clock.soon(() => {
    if (!isReleased) tell()
  })
  const nothing = (): void => {}
  const release = (): void => {
    isReleased = true
  }
  return { stop: nothing, pause: nothing, resume: nothing, release, usage: () => null }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
