import { existsSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../run-folder.ts'
import { readSmall } from '../small-file.ts'
import type { RunCgroup } from './kept.ts'

/** The processes of a run, also of cgroups that it has made below its own. Zombies are not among them. */
export const pidsIn = (folder: string): number[] => {
  const text = readSmall(join(folder, 'cgroup.procs'))
  if (text === undefined) return []
  // What is read of very many may end within a number.
  return [...text.split('\n').slice(0, -1).map(Number), ...cgroupsIn(folder).flatMap((name) => pidsIn(join(folder, name)))]
}

export interface Counted {
  /** Undefined where no controller counts it. */
  memoryBytes: number | undefined
  processes: number
}

/** Asks for memory, without what the kernel would give back at once, and processes; null if there are none. */
export const usageOf = ({ track, memory }: RunCgroup, limitMb: number | undefined) => {
  const memoryBytes = memory && memoryOf(memory, limitMb)
  return (): Counted | null => {
    const here = readSmall(join(track, 'cgroup.procs'))?.match(/\n/g)?.length ?? 0
    // Only what runs containers of its own has all of its processes further down.
    const processes = here === 0 ? pidsIn(track).length : here
    return processes === 0 ? null : { memoryBytes: memoryBytes?.(), processes }
  }
}

/** So much may the use change, or the share of the limit be, before it is asked anew how much of it is cache: that is dear. */
const stableBytes = 2 * 1024 * 1024
const closeToLimit = 0.8

const memoryOf = ({ version, folder }: NonNullable<RunCgroup['memory']>, limitMb: number | undefined) => {
  const [now, cached] =
    version === 2 ? ['memory.current', /^inactive_file (\d+)/m] : ['memory.usage_in_bytes', /^total_inactive_file (\d+)/m]
  let known = { used: Number.NEGATIVE_INFINITY, cache: 0 }
  return (): number | undefined => {
    const used = Number(readSmall(join(folder, now)) ?? Number.NaN)
    if (Number.isNaN(used)) return undefined
    const isClose = limitMb !== undefined && used > limitMb * 1024 * 1024 * closeToLimit
    if (isClose || Math.abs(used - known.used) > stableBytes) {
      known = { used, cache: Number(cached.exec(readSmall(join(folder, 'memory.stat')) ?? '')?.[1] ?? 0) }
    }
    return Math.max(0, used - known.cache)
  }
}

/** Whether the kernel has killed a process because the run's memory was at its limit. */
export const wasOutOfMemory = ({ memory }: RunCgroup): boolean => {
  if (!memory) return false
  const text = readSmall(join(memory.folder, memory.version === 2 ? 'memory.events' : 'memory.oom_control')) ?? ''
  return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0) > 0
}

const rounds = 10

/** Kills all of a run, also what forks as fast as it can. Who is slow to die is not waited for. */
export const killAllIn = ({ track, freezer }: RunCgroup): void => {
  if (existsSync(join(track, 'cgroup.kill'))) return writeIfThere(join(track, 'cgroup.kill'), '1')
  const freeze = freezer ? { file: 'freezer.state', on: 'FROZEN', off: 'THAWED' } : { file: 'cgroup.freeze', on: '1', off: '0' }
  const canFreeze = existsSync(join(track, freeze.file))
  if (canFreeze) writeIfThere(join(track, freeze.file), freeze.on)
  const sent = new Set<number>()
  // Without a freezer some are born meanwhile; each round gets more of them than it leaves.
  for (let round = 0; round < rounds; round++) {
    const fresh = pidsIn(track).filter((pid) => !sent.has(pid))
    if (fresh.length === 0) break
    for (const pid of fresh) {
      sent.add(pid)
      kill(pid)
    }
  }
  if (canFreeze) writeIfThere(join(track, freeze.file), freeze.off)
}

/** Removes cgroups and those below them; says whether all of them are gone. A process that is still there keeps its own. */
export const removeCgroups = (folders: readonly string[]): boolean => {
  let isDone = true
  for (const folder of folders) {
    if (!existsSync(folder)) continue
    removeCgroups(cgroupsIn(folder).map((name) => join(folder, name)))
    try {
      rmdirSync(folder)
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) isDone = false
    }
  }
  return isDone
}

const cgroupsIn = (folder: string): string[] => {
  try {
    // A folder counts one link for itself, one for its parent, and one for each folder in it: to ask for that is cheaper.
    if (statSync(folder).nlink === 2) return []
    return readdirSync(folder, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []))
  } catch {
    // Removed in this moment: nothing is below it.
    return []
  }
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went by itself in this moment: whether anything is left is decided by looking.
  }
}

const writeIfThere = (path: string, text: string): void => {
  try {
    writeFileSync(path, text)
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENODEV')) throw error
  }
}
