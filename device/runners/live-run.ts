import type { Clock, Timer } from '../../base/clock.ts'
import type { StopSignal } from '../../schemas/workload.ts'
import type { RunEnd, RunHandle, RunWatcher } from '../runner.ts'
import type { Kept } from './confinement/kept.ts'
import { membersFor } from './confinement/members.ts'
import type { ProcessView } from './confinement/process-view.ts'
import { type Finding, findingOf } from './findings.ts'
import type { Output } from './output.ts'
import { type Identity, isRunning, membersOf } from './process-table.ts'
import { claimNotStarted, readClaim, writtenAt } from './run-folder.ts'

/** One run under watch. `look` is called when something may have changed; the files and the process table say what. */
export interface LiveRun extends RunHandle {
  look(): void
  /** If it is being stopped, it is killed. */
  hurry(): void
  /** Its shim is this daemon's: it tells how far the run is, and so does its own end. */
  isHeard(): boolean
  /** The shim that this daemon started has ended: from now on only the files speak for it, unless there was no room for them. */
  shimEnded(lackedRoom: boolean): void
}

export interface LiveRunDeps {
  run: string
  folder: string
  /** How it was set up; a task's own command is not. */
  kept: Kept | undefined
  view: ProcessView
  clock: Clock
  /** Whoever is stopped is killed. */
  isInHurry: () => boolean
  watcher: RunWatcher
  output: Output
  isSameBoot: boolean
  /** This daemon has started a shim, so there is no need to look for it. */
  hasShim: boolean
  /** What to report when nobody has claimed the run. */
  unclaimed: string
  over(): void
}

const graceMs = 10_000
// A claim without its text for so long was made by somebody who died in between.
const blankClaimMs = 2_000
// Until it is looked again whether the disk takes a claim.
const noRoomMs = 1000
// So long after its start the pids cannot have gone once around.
const youngMs = 5_000

export const watchRun = ({ folder, clock, watcher, output, isSameBoot, unclaimed, over, ...given }: LiveRunDeps): LiveRun => {
  const since = clock.mono()
  let hasShim = given.hasShim
  const isYoung = (): boolean => given.hasShim && clock.mono() - since < youngMs
  let leader: Identity | undefined
  let end: RunEnd | undefined
  let killAt: number | undefined
  let asked: StopSignal | undefined
  /** Who was told to end. */
  const told = new Set<number>()
  let isClosed = false
  let timer: Timer | undefined
  let pauseMs = 2
  const { run, kept, view } = given
  const members = membersFor({ run, kept, view, isStopped: () => asked !== undefined })

  const lookAgainIn = (ms: number): void => {
    timer?.cancel()
    timer = clock.after(ms, look)
  }

  const find = (): Finding => {
    let isShimAlive = hasShim
    let isStarting = false
    if (!hasShim && isSameBoot) {
      const before = readClaim(folder)
      const shim = before.by === 'shim' ? before.shim : undefined
      isShimAlive = shim ? isRunning(shim) : before.by === 'shim' && clock.mono() - since < blankClaimMs
      isStarting = !isShimAlive && !leader && shim !== undefined && membersOf(shim).length > 0
    }
    const claim = readClaim(folder)
    if (claim.by === 'shim' && claim.leader && !leader) {
      leader = claim.leader
      watcher.started(leader.pid)
    }
    const isLeaderAlive = !isShimAlive && isSameBoot && leader !== undefined && isRunning(leader)
    return findingOf({ claim, isSameBoot, isShimAlive, isStarting, isLeaderAlive })
  }

  /** Signals what is left of the run as far as it is due; says whether anything is left. */
  const press = (): boolean => {
    if (!leader || !isSameBoot) return false
    const left = members.of(leader, isYoung())
    if (left.length === 0) return false
    if (killAt === undefined) return true
    if (killAt <= clock.mono()) {
      members.kill(leader, left)
      return true
    }
    // What a program starts to end in good order is left alone while the program lives.
    const untold = told.size > 0 && !end ? [] : left.filter(({ pid }) => !told.has(pid))
    if (untold.length === 0) return true
    for (const { pid } of untold) told.add(pid)
    members.signal(leader, untold, asked ?? 'SIGTERM')
    // A stopped process takes the first signal only when it goes on.
    members.signal(leader, untold, 'SIGCONT')
    return true
  }

  // Nobody tells when the last of a group goes, so that is looked for, less and less often.
  const pressAgain = (): void => {
    pauseMs = Math.min(pauseMs * 2, 250)
    lookAgainIn(Math.max(1, Math.min(pauseMs, (killAt ?? 0) - clock.mono())))
  }

  function look(): void {
    if (isClosed) return
    const program = end ?? follow()
    if (program && !isClosed) wrapUp(program)
  }

  /** How the program has ended, or undefined while it has not. */
  const follow = (): RunEnd | undefined => {
    const found = find()
    if (found.kind === 'over') return found.end
    if (isClosed) return undefined
    if (found.kind === 'unclaimed') {
      // From here on a late shim finds the claim and starts nothing. If it was faster, the next look sees it.
      lookAgainIn(claimNotStarted(folder, 125, unclaimed) === 'no-room' ? noRoomMs : 0)
    } else if (killAt !== undefined) {
      press()
      // The shim tells when the program has gone: until then there is nothing to do before the grace is over.
      if (leader && killAt > clock.mono()) lookAgainIn(killAt - clock.mono())
      else pressAgain()
    }
    return undefined
  }

  /** The program is gone; whoever it left behind in its group goes with it. Then what the pipes still hold is read. */
  const wrapUp = (program: RunEnd): void => {
    end = program
    if (program.kind !== 'not_started') {
      killAt ??= clock.mono() + graceMs
      if (press()) return pressAgain()
    }
    if (!output.drain() || isClosed) return
    const isOutOfMemory = program.kind === 'exited' && members.wasOutOfMemory()
    const endedAt = program.kind === 'exited' && !given.hasShim ? writtenAt(folder) : undefined
    close()
    if (program.kind !== 'exited') return watcher.ended(program)
    watcher.ended({ ...program, ...(isOutOfMemory ? { isOutOfMemory } : {}), ...(endedAt === undefined ? {} : { endedAt }) })
  }

  function close(): void {
    if (isClosed) return
    isClosed = true
    timer?.cancel()
    output.close()
    over()
  }

  return {
    look,
    isHeard: () => hasShim,
    shimEnded: (lackedRoom) => {
      hasShim = false
      if (!lackedRoom || isClosed) return look()
      close()
      watcher.noRoom()
    },
    stop: (ms, signal = 'SIGTERM') => {
      if (isClosed) return
      asked ??= signal
      killAt = Math.min(killAt ?? Number.POSITIVE_INFINITY, clock.mono() + (signal === 'SIGKILL' || given.isInHurry() ? 0 : ms))
      lookAgainIn(0)
    },
    hurry: () => {
      if (isClosed || killAt === undefined) return
      killAt = clock.mono()
      lookAgainIn(0)
    },
    pause: output.pause,
    resume: () => {
      output.resume()
      if (end) lookAgainIn(0)
    },
    release: close,
    usage: () => (leader && isSameBoot && !isClosed ? members.usage(leader) : null),
  }
}
