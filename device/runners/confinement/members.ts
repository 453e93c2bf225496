import { type Identity, isRunning, membersOf, type ProcessStat, send, signalMembers, statOf } from '../process-table.ts'
import type { Kept } from './kept.ts'
import type { ProcessView } from './process-view.ts'
import { residentOf } from './resident.ts'
import { killAllIn, pidsIn, usageOf, wasOutOfMemory } from './run-cgroup.ts'

/** The living processes that belong to a run, however far they went. */
export interface Members {
  of(leader: Identity, isYoung: boolean): ProcessStat[]
  signal(leader: Identity, members: readonly ProcessStat[], signal: NodeJS.Signals): void
  kill(leader: Identity, members: readonly ProcessStat[]): void
  usage(leader: Identity): { memoryBytes: number; processes: number } | null
  wasOutOfMemory(): boolean
}

export interface MembersDeps {
  run: string
  kept: Kept | undefined
  view: ProcessView
  /** Whether it was asked to stop. */
  isStopped: () => boolean
}

export const membersFor = (deps: MembersDeps): Members => {
  const { kept, view } = deps
  const hasMonitor = kept?.hasMonitor ?? false
  const find = kept?.cgroup ? inCgroup(kept.cgroup) : inTable(deps)
  const used = kept?.cgroup && usageOf(kept.cgroup, kept.memoryMb)

  return {
    of: find,
    signal: (leader, members, signal) => {
      // A monitor ends by a signal before the program could say how it ends.
      const rest = hasMonitor ? members.filter(({ pid }) => pid !== leader.pid) : members
      if (rest.length === members.length || rest.length === 0) signalMembers(leader, members, signal)
      else for (const { pid } of rest) send(pid, signal)
    },
    kill: (leader, members) => {
      signalMembers(leader, members, 'SIGKILL')
      if (kept?.cgroup) killAllIn(kept.cgroup)
      else if (members.some((one) => one.group !== leader.pid)) killStrays(deps, leader, members)
    },
    usage: (leader) => {
      const counted = used?.()
      if (counted === null) return null
      const own = hasMonitor ? 1 : 0
      if (counted?.memoryBytes !== undefined) {
        return { memoryBytes: counted.memoryBytes, processes: Math.max(1, counted.processes - own) }
      }
      // Without a controller that counts memory they are asked one by one.
      const pids = kept?.cgroup ? pidsIn(kept.cgroup.track) : view.ofRun(leader, deps.run).map(({ pid }) => pid)
      const found = residentOf(pids, kept?.memoryMb)
      return found && { memoryBytes: found.memoryBytes, processes: Math.max(1, found.processes - own) }
    },
    wasOutOfMemory: () => kept?.cgroup !== undefined && wasOutOfMemory(kept.cgroup),
  }
}

/** What is born in a cgroup stays in it. The leader counts from before it goes in. */
const inCgroup =
  ({ track }: NonNullable<Kept['cgroup']>) =>
  (leader: Identity): ProcessStat[] => {
    const members = statsOf(pidsIn(track))
    if (members.some(({ pid }) => pid === leader.pid) || !isRunning(leader)) return members
    return [...members, ...statsOf([leader.pid])]
  }

/**
 * Without one: the group and the session, and whoever has left them but was born with the run's name in its environment. For those it
 * has to be known who was born meanwhile, so a task that ends by itself, and may have lived for a millisecond, does without.
 */
const inTable =
  ({ run, kept, view, isStopped }: MembersDeps) =>
  (leader: Identity, isYoung: boolean): ProcessStat[] =>
    kept === undefined && !isStopped() ? membersOf(leader, isYoung) : view.ofRun(leader, run)

const rounds = 5

/** Kills those who were born while others were killed. */
const killStrays = ({ run, view }: MembersDeps, leader: Identity, members: readonly ProcessStat[]): void => {
  const sent = new Set(members.map(({ pid }) => pid))
  for (let round = 0; round < rounds; round++) {
    const fresh = view.ofRun(leader, run).filter((one) => !sent.has(one.pid))
    if (fresh.length === 0) return
    for (const one of fresh) sent.add(one.pid)
    signalMembers(leader, fresh, 'SIGKILL')
  }
}

const statsOf = (pids: readonly number[]): ProcessStat[] =>
  pids.flatMap((pid) => {
    const stat = statOf(pid)
    return stat?.isAlive ? [stat] : []
  })
