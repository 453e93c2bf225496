import { existsSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../run-folder.ts'
import type { RunCgroup } from './kept.ts'

/** The processes of a run, also of cgroups that it has made below its own. Zombies are not among them. */
export const pidsIn = (folder: string): number[] => {
  const text = readIfThere(join(folder, 'cgroup.procs'))
  if (text === undefined) return []
  return [...text.split('\n').filter(Boolean).map(Number), ...cgroupsIn(folder).flatMap((name) => pidsIn(join(folder, name)))]
}

/** Memory without what the kernel would give back at once, and processes; null if there are none. */
export const usageIn = ({ track, memory }: RunCgroup): { memoryBytes: number | undefined; processes: number } | null => {
  const here = readIfThere(join(track, 'cgroup.procs'))?.match(/\n/g)?.length ?? 0
  // Only what runs containers of its own has all of its processes further down.
  const processes = here === 0 ? pidsIn(track).length : here
  if (processes === 0) return null
  return { memoryBytes: memory && memoryIn(memory), processes }
}

const memoryIn = ({ version, folder }: NonNullable<RunCgroup['memory']>): number | undefined => {
  const used = Number(readIfThere(join(folder, version === 2 ? 'memory.current' : 'memory.usage_in_bytes')))
  const stat = readIfThere(join(folder, 'memory.stat')) ?? ''
  const cache = Number((version === 2 ? /^inactive_file (\d+)/m : /^total_inactive_file (\d+)/m).exec(stat)?.[1] ?? 0)
  return Number.isNaN(used) ? undefined : Math.max(0, used - cache)
}

/** Whether the kernel has killed a process because the run's memory was at its limit. */
export const wasOutOfMemory = ({ memory }: RunCgroup): boolean => {
  if (!memory) return false
  const text = readIfThere(join(memory.folder, memory.version === 2 ? 'memory.events' : 'memory.oom_control')) ?? ''
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

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    // ENODEV: it is being removed.
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENODEV')) return undefined
    throw error
  }
}

const writeIfThere = (path: string, text: string): void => {
  try {
    writeFileSync(path, text)
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'ENODEV')) throw error
  }
}
