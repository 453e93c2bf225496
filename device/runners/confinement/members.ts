import { type Identity, isRunning, membersOf, type ProcessStat, send, signalMembers, statOf } from '../process-table.ts'
import type { Kept } from './kept.ts'
import type { ProcessView } from './process-view.ts'
import { residentOf } from './resident.ts'
import { killAllIn, pidsIn, usageOf, wasOutOfMemory } from './run-cgroup.ts'

/** The living processes that belong to a run, however far they went. */
export interface Members {
  /** They, or for how long that cannot be told. */
  of(leader: Identity, isYoung: boolean): ProcessStat[] | { tooSoonMs: number }
  signal(leader: Identity, members: readonly ProcessStat[], signal: NodeJS.Signals): void
  kill(leader: Identity, members: readonly ProcessStat[]): void
  usage(leader: Identity): { memoryBytes: number; processes: number } | null
  wasOutOfMemory(): boolean
}

export interface MembersDeps {
  run: string
  kept: Kept | undefined
  view: ProcessView
  mono: () => number
  /** Whether it was asked to stop. */
  isStopped: () => boolean
}

export const membersFor = (deps: MembersDeps): Members => {
  const { kept, view } = deps
  const hasMonitor = kept?.hasMonitor ?? false
  const find = kept?.cgroup ? inCgroup(kept.cgroup) : inTable(deps)
  const used = kept?.cgroup && usageOf(kept.cgroup, kept.memoryMb)
  const pidsInView = (leader: Identity): number[] => [
    leader.pid,
    ...view.within(usageMs).flatMap((one) => (one.pid !== leader.pid && belongs(one, leader, deps.run) ? [one.pid] : [])),
  ]

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
      const pids = kept?.cgroup ? pidsIn(kept.cgroup.track) : pidsInView(leader)
      const found = residentOf(pids, kept?.memoryMb)
      return found && { memoryBytes: found.memoryBytes, processes: Math.max(1, found.processes - own) }
    },
    wasOutOfMemory: () => kept?.cgroup !== undefined && wasOutOfMemory(kept.cgroup),
  }
}

/** Who belongs to a run is looked up less often than how much they use: to look at all processes is dear. */
const usageMs = 2500

/** What is born in a cgroup stays in it. The leader counts from before it goes in. */
const inCgroup =
  ({ track }: NonNullable<Kept['cgroup']>) =>
  (leader: Identity): ProcessStat[] => {
    const members = statsOf(pidsIn(track))
    if (members.some(({ pid }) => pid === leader.pid) || !isRunning(leader)) return members
    return [...members, ...statsOf([leader.pid])]
  }

/**
 * Without one: the group and the session, and whoever has left them but still carries the run's name in its environment. To look for
 * those takes a look at all processes, so it is done for runs that are set up in some way and for those that were asked to stop;
 * a task that ends by itself is too short for it.
 */
const inTable = ({ run, kept, view, mono, isStopped }: MembersDeps) => {
  /** Nobody is left when a look that began after this finds nobody. */
  let sinceMono: number | undefined
  return (leader: Identity, isYoung: boolean): ProcessStat[] | { tooSoonMs: number } => {
    if (kept === undefined && !isStopped()) return membersOf(leader, isYoung)
    sinceMono ??= mono()
    const near = isYoung ? membersOf(leader, true) : []
    const known = view.within(recentMs).filter((one) => belongs(one, leader, run) && isRunning(one))
    const members = [...near, ...known.filter((one) => !near.some(({ pid }) => pid === one.pid))]
    if (members.length > 0) {
      sinceMono = undefined
      return members
    }
    const seen = view.since(sinceMono)
    return 'tooSoonMs' in seen ? seen : seen.filter((one) => belongs(one, leader, run))
  }
}

/** So old may be what is known of those who left when the others are signalled: many runs are stopped at once. */
const recentMs = 50
const rounds = 5

/** Kills those who were born while others were killed. */
const killStrays = ({ run, view }: MembersDeps, leader: Identity, members: readonly ProcessStat[]): void => {
  const sent = new Set(members.map(({ pid }) => pid))
  for (let round = 0; round < rounds; round++) {
    const fresh = view.now().filter((one) => belongs(one, leader, run) && !sent.has(one.pid))
    if (fresh.length === 0) return
    for (const one of fresh) sent.add(one.pid)
    signalMembers(leader, fresh, 'SIGKILL')
  }
}

const belongs = (one: ProcessStat & { run: string | undefined }, leader: Identity, run: string): boolean =>
  (one.group === leader.pid || one.session === leader.pid || one.run === run) && isLater(one, leader)

/** Who is older than the leader is none of its children, whatever pid or name it has. */
const isLater = (one: Identity, leader: Identity): boolean => Number(one.start) >= Number(leader.start)

const statsOf = (pids: readonly number[]): ProcessStat[] =>
  pids.flatMap((pid) => {
    const stat = statOf(pid)
    return stat?.isAlive ? [stat] : []
  })
