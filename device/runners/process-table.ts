import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { readSmall } from './small-file.ts'

/** A process that cannot be confused with a later one of the same pid: `start` is its start time in ticks since boot. */
export interface Identity {
  pid: number
  start: string
}

export interface ProcessStat extends Identity {
  isAlive: boolean
  group: number
  session: number
}

/** Reads a line of /proc/<pid>/stat. Zombies count as dead: PID 1 may never reap them. */
export const parseStat = (line: string): ProcessStat | undefined => {
  // The name in parentheses may hold anything, parentheses and spaces too.
  const [state, , group, session, ...rest] = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const pid = Number.parseInt(line, 10)
  const start = rest[15]
  if (!pid || !state || !start) return undefined
  return { pid, start, isAlive: !'ZXx'.includes(state), group: Number(group), session: Number(session) }
}

/** What the kernel knows of a process; undefined if there is none. */
export const statOf = (pid: number): ProcessStat | undefined => {
  const path = `/proc/${pid}/stat`
  // Many who are asked for are gone, and to ask first is cheaper than an exception.
  const line = existsSync(path) ? readSmall(path) : undefined
  return line === undefined ? undefined : parseStat(line)
}

export const isRunning = (identity: Identity): boolean => {
  const stat = statOf(identity.pid)
  return stat?.start === identity.start && stat.isAlive
}

/** The stats that were read while several runs are looked at together: their processes lie among each other's. */
let shared: { stats: Map<number, ProcessStat | undefined>; last: number | undefined } | undefined

/** What is asked about processes within `work` is looked up once. */
export const lookTogether = (work: () => void): void => {
  shared = { stats: new Map(), last: undefined }
  try {
    work()
  } finally {
    shared = undefined
  }
}

const statNow = (pid: number): ProcessStat | undefined => {
  if (shared?.stats.has(pid)) return shared.stats.get(pid)
  const stat = statOf(pid)
  shared?.stats.set(pid, stat)
  return stat
}

/** The pid that was given out last. */
export const readLastPid = (): number => Number(readSmall('/proc/loadavg')?.split(' ')[4])

const lastPid = (): number => {
  const last = shared?.last ?? readLastPid()
  if (shared) shared.last = last
  return last
}

/**
 * The living processes of a leader's group and session, the leader included. With `isYoung` only pids given out since the
 * leader are looked at, which is all there can be as long as the pids cannot have gone once around.
 */
export const membersOf = (leader: Identity, isYoung = false): ProcessStat[] => {
  const now = statNow(leader.pid)
  // The kernel gives a pid out again only when no group and no session is named by it.
  if (now && now.start !== leader.start) return []
  const members = now?.isAlive ? [now] : []
  for (const pid of isYoung ? pidsSince(leader.pid) : allPids()) {
    if (pid === leader.pid) continue
    const stat = statNow(pid)
    if (stat?.isAlive && (stat.group === leader.pid || stat.session === leader.pid)) members.push(stat)
  }
  return members
}

const allPids = (): number[] => readdirSync('/proc').map(Number).filter(Boolean)

const pidsSince = (first: number): number[] => {
  const last = lastPid()
  if (last < first || last - first > 100)
    return allPids().filter((pid) => (last < first ? pid > first || pid <= last : pid > first))
  return Array.from({ length: last - first }, (_, i) => first + 1 + i)
}

/** Signals a group as one, and one by one those who have left it but not the session, or have not formed it yet. */
export const signalMembers = (leader: Identity, members: readonly ProcessStat[], signal: NodeJS.Signals): void => {
  if (members.some((member) => member.group === leader.pid)) send(-leader.pid, signal)
  for (const member of members) if (member.group !== leader.pid) send(member.pid, signal)
}

/** Signals a process, or a group by its negative number; that it has gone is no failure. */
export const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It went by itself in this moment, or belongs to another user: whether anything is left is decided by looking, not by this.
  }
}

/** Names the time since the kernel started; another boot, another id. */
export const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
