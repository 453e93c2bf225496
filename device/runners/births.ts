/** What is asked of the kernel: bent in tests. */
export interface BirthsDeps {
  mono: () => number
  /** The pid that was given out last. */
  lastPid: () => number
  pids: () => readonly number[]
  /** By what a process can be found later; nothing for one that is not there. */
  keysOf: (pid: number) => readonly string[]
}

/** Processes by what they had when they were born, known without a look at all of them when it is asked. */
export interface Births {
  /** Reads who was born since the last time; to be called more often than pids can go once around. */
  update(): void
  /** Whoever had this key when it was read. Later they may have gone, or be different. */
  pidsOf(key: string): readonly number[]
}

/** So long pids cannot have gone once around. */
const aroundMs = 5_000
/** A pid is given out before there is a process to be seen: so long it is looked for again. */
const bornMs = 500
/** Above this many it is cheaper to ask which there are. */
const fewPids = 100
/** Who has gone is forgotten now and then. */
const sweepMs = 60_000

/**
 * A process is born with the session and the environment of its parent. So each has to be read once, some time after its birth. To read all
 * 200 of a machine, as whoever looks for what a run has left behind would have to, takes 10 ms.
 */
export const createBirths = ({ mono, lastPid, pids, keysOf }: BirthsDeps): Births => {
  const keys = new Map<number, readonly string[]>()
  const members = new Map<string, Set<number>>()
  /** Up to which pid everybody was read, when, and how far that was a little earlier. */
  let done: { pid: number; at: number } | undefined
  let settled = { pid: 0, at: 0 }
  let sweptAt = 0

  const forget = (pid: number): void => {
    for (const key of keys.get(pid) ?? []) {
      const others = members.get(key)
      others?.delete(pid)
      if (others?.size === 0) members.delete(key)
    }
    keys.delete(pid)
  }
  const read = (pid: number): void => {
    forget(pid)
    const found = keysOf(pid)
    if (found.length === 0) return
    keys.set(pid, found)
    for (const key of found) {
      const others = members.get(key)
      if (others) others.add(pid)
      else members.set(key, new Set([pid]))
    }
  }

  const readAll = (now: number, last: number): void => {
    for (const pid of [...keys.keys()]) forget(pid)
    for (const pid of pids()) read(pid)
    sweptAt = now
    settled = { pid: last, at: now }
  }

  const readNew = (now: number, last: number, before: { pid: number; at: number }): void => {
    for (const pid of between(settled.pid, before.pid, pids)) if (!keys.has(pid)) read(pid)
    for (const pid of between(before.pid, last, pids)) read(pid)
    if (before.at - settled.at >= bornMs) settled = before
    if (now - sweptAt < sweepMs) return
    sweptAt = now
    const there = new Set(pids())
    for (const pid of [...keys.keys()]) if (!there.has(pid)) forget(pid)
  }

  return {
    update: () => {
      const now = mono()
      const last = lastPid()
      if (done === undefined || now - done.at > aroundMs) readAll(now, last)
      else readNew(now, last, done)
      done = { pid: last, at: now }
    },
    pidsOf: (key) => [...(members.get(key) ?? [])],
  }
}

/** The pids that were given out after `first` up to `last`; of many only those of processes that are there. */
const between = (first: number, last: number, pids: () => readonly number[]): readonly number[] =>
  last < first || last - first > fewPids
    ? pids().filter((pid) => isWithin(pid, first, last))
    : Array.from({ length: last - first }, (_, i) => first + 1 + i)

const isWithin = (pid: number, first: number, last: number): boolean =>
  last < first ? pid > first || pid <= last : pid > first && pid <= last
