import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { RunSetup } from '../../runner.ts'
import { hasCode } from '../run-folder.ts'
import { type BaseCgroup, baseIn, type Controller, enable } from './base-cgroup.ts'
import { hierarchiesOf } from './hierarchies.ts'
import type { RunCgroup } from './kept.ts'
import { removeCgroups } from './run-cgroup.ts'

/** The cgroups that this daemon makes for its runs. */
export interface Cgroups {
  versions: readonly (1 | 2)[]
  has(controller: Controller): boolean
  /** Makes those of a run and sets their limits; undefined where none can be made. */
  make(run: string, setup: RunSetup): RunCgroup | undefined
  /** The run is over and forgotten. A process may take a moment to leave, so this is tried for a while. */
  remove(cgroup: RunCgroup): void
  /** Removes what no run needs any more. */
  close(): void
}

type Limits = Pick<RunSetup, 'memoryMb' | 'processes' | 'cpuWeight' | 'cpuPercent'>

/**
 * Direct, without systemd-run: a unit with Delegate=yes owns its subtree, root owns it anyway, and who owns none would need a bus and
 * systemd's leave for each start. `runs` names them, so that the next daemon on the same folder finds the same ones.
 */
export const openCgroups = (runs: string, clock: Clock, log: Log): Cgroups => {
  const name = `skein-${createHash('sha256').update(runs).digest('hex').slice(0, 12)}`
  const bases = findBases(log)
  const of = (controller: string): BaseCgroup | undefined => bases.find((base) => base.controllers.includes(controller))
  // Version 2 can kill a cgroup as one; the freezer at least keeps its processes from forking meanwhile.
  const tracking = bases.find((base) => base.version === 2) ?? of('freezer') ?? of('pids') ?? bases[0]

  const sweep = (isNeeded: (run: string) => boolean): void => {
    for (const base of bases) {
      const own = join(base.folder, name)
      if (!existsSync(own)) continue
      removeCgroups(foldersIn(own).flatMap((run) => (isNeeded(run) ? [] : [join(own, run)])))
      if (foldersIn(own).length === 0) removeCgroups([own])
    }
  }
  // Of runs that were forgotten while a process of theirs kept them.
  sweep((run) => existsSync(join(runs, run)))

  const makeIn = (base: BaseCgroup, run: string): string => {
    const folder = join(base.folder, name, run)
    if (existsSync(folder)) return folder
    makeFolder(join(base.folder, name))
    if (base.version === 2) for (const controller of base.controllers) enable(join(base.folder, name), controller)
    makeFolder(folder)
    return folder
  }

  const waiting = new Set<Timer>()
  const remove = (folders: readonly string[], tries = 10): void => {
    if (removeCgroups(folders) || tries === 0) return
    const timer = clock.after(100, () => {
      waiting.delete(timer)
      remove(folders, tries - 1)
    })
    waiting.add(timer)
  }

  const makeAll = (base: BaseCgroup, run: string, setup: RunSetup, folders: Map<BaseCgroup, string>): RunCgroup => {
    folders.set(base, makeIn(base, run))
    const need = (controller: Controller): { version: 1 | 2; folder: string } | undefined => {
      const base = of(controller)
      if (!base) return undefined
      const folder = folders.get(base) ?? makeIn(base, run)
      folders.set(base, folder)
      return { version: base.version, folder }
    }
    const memory = setup.memoryMb === undefined ? undefined : need('memory')
    if (memory && setup.memoryMb !== undefined) limitMemory(memory, setup.memoryMb)
    const pids = setup.processes === undefined ? undefined : need('pids')
    // Bubblewrap watches over a sandbox in a process of its own.
    if (pids) write(pids.folder, 'pids.max', (setup.processes ?? 0) + (setup.sandbox ? 1 : 0))
    const cpu = setup.cpuWeight === undefined && setup.cpuPercent === undefined ? undefined : need('cpu')
    if (cpu) limitCpu(cpu, setup)
    return {
      all: [...folders.values()],
      track: join(base.folder, name, run),
      freezer: base.controllers.includes('freezer'),
      ...(memory ? { memory } : {}),
    }
  }

  return {
    versions: [...new Set(bases.map((base) => base.version))].sort(),
    has: (controller) => of(controller) !== undefined,
    make: (run, setup) => {
      // To enter any cgroup takes a process 15 to 20 ms of waiting in the kernel, so a run without limits does without.
      if (!tracking || !isLimited(setup)) return undefined
      const folders = new Map<BaseCgroup, string>()
      try {
        return makeAll(tracking, run, setup, folders)
      } catch (error) {
        removeCgroups([...folders.values()])
        throw error
      }
    },
    remove: ({ all }) => remove(all),
    close: () => {
      for (const timer of waiting) timer.cancel()
      sweep((run) => existsSync(join(runs, run)))
    },
  }
}

const isLimited = ({ memoryMb, processes, cpuWeight, cpuPercent }: Limits): boolean =>
  memoryMb !== undefined || processes !== undefined || cpuWeight !== undefined || cpuPercent !== undefined

const findBases = (log: Log): BaseCgroup[] => {
  try {
    const found = hierarchiesOf(readFileSync('/proc/self/mountinfo', 'utf8'), readFileSync('/proc/self/cgroup', 'utf8'))
    return found.flatMap((hierarchy) => {
      const isOfUse = hierarchy.version === 2 || hierarchy.controllers.some((one) => useful.includes(one))
      const base = isOfUse ? baseIn(hierarchy, log) : undefined
      return base ? [base] : []
    })
  } catch (error) {
    log.debug({ err: error }, 'cgroups cannot be used')
    return []
  }
}

const useful = ['memory', 'pids', 'cpu', 'freezer']

const limitMemory = ({ version, folder }: { version: 1 | 2; folder: string }, mb: number): void => {
  const bytes = mb * 1024 * 1024
  write(folder, version === 2 ? 'memory.max' : 'memory.limit_in_bytes', bytes)
  // What is swapped out is used too. Not every kernel counts that.
  const [file, limit] = version === 2 ? (['memory.swap.max', 0] as const) : (['memory.memsw.limit_in_bytes', bytes] as const)
  if (existsSync(join(folder, file))) write(folder, file, limit)
}

const periodUs = 100_000

const limitCpu = ({ version, folder }: { version: 1 | 2; folder: string }, { cpuWeight, cpuPercent }: Limits): void => {
  // A weight of 100 is the default of version 2, 1024 shares are that of version 1.
  if (cpuWeight !== undefined) {
    if (version === 2) write(folder, 'cpu.weight', cpuWeight)
    else write(folder, 'cpu.shares', Math.max(2, Math.round((cpuWeight * 1024) / 100)))
  }
  if (cpuPercent === undefined) return
  const quotaUs = Math.max(1000, Math.round((cpuPercent * periodUs) / 100))
  if (version === 2) return write(folder, 'cpu.max', `${quotaUs} ${periodUs}`)
  write(folder, 'cpu.cfs_period_us', periodUs)
  write(folder, 'cpu.cfs_quota_us', quotaUs)
}

const write = (folder: string, file: string, value: number | string): void => writeFileSync(join(folder, file), String(value))

const makeFolder = (path: string): void => {
  try {
    mkdirSync(path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}

const foldersIn = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []))
