import { readdirSync } from 'node:fs'
import { createBirths } from '../births.ts'
import { type Identity, type ProcessStat, readLastPid, statOf } from '../process-table.ts'
import { readSmall } from '../small-file.ts'

/** The processes of the machine, for all runs together. */
export interface ProcessView {
  /** Who lives and belongs to a run: by its leader's group and session, or because the environment that it was born with names the run. */
  ofRun(leader: Identity | null, run: string): ProcessStat[]
  /** Keeps it known who was born; to be called every few seconds. */
  update(): void
}

export const openProcessView = (mono: () => number): ProcessView => {
  const births = createBirths({
    mono,
    lastPid: readLastPid,
    pids: () => readdirSync('/proc').map(Number).filter(Boolean),
    keysOf: (pid) => {
      const stat = statOf(pid)
      if (!stat) return []
      const run = runNamedBy(pid)
      return run === undefined ? [bySession(stat.session)] : [bySession(stat.session), byRun(run)]
    },
  })
  return {
    ofRun: (leader, run) => {
      births.update()
      const marked = new Set(births.pidsOf(byRun(run)))
      const near = leader ? [leader.pid, ...births.pidsOf(bySession(leader.pid))] : []
      return [...new Set([...near, ...marked])].flatMap((pid) => {
        const stat = statOf(pid)
        const isNear = stat !== undefined && (stat.group === leader?.pid || stat.session === leader?.pid)
        return stat?.isAlive && (isNear || marked.has(pid)) && isLater(stat, leader) ? [stat] : []
      })
    },
    update: births.update,
  }
}

const bySession = (session: number): string => `session ${session}`
const byRun = (run: string): string => `run ${run}`

/** Who is older than the leader is none of its children, whatever pid or name it has. */
const isLater = (one: Identity, leader: Identity | null): boolean => !leader || Number(one.start) >= Number(leader.start)

/** A program may hide its environment later, but not from whom has read it before. */
const runNamedBy = (pid: number): string | undefined =>
  /(?:^|\0)SKEIN_RUN=([^\0]*)\0/.exec(readSmall(`/proc/${pid}/environ`) ?? '')?.[1]
