import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Log } from '../../../base/log.ts'
import { hasCode } from '../run-folder.ts'
import type { Hierarchy } from './hierarchies.ts'

export const controllers = ['memory', 'pids', 'cpu'] as const
export type Controller = (typeof controllers)[number]

/** A cgroup below which this daemon may make some for its runs. */
export interface BaseCgroup {
  version: 1 | 2
  folder: string
  controllers: readonly string[]
}

/** Where the daemon itself is, if the cgroup that it was given has to be free of processes. */
const leaf = 'daemon'

/** Finds where cgroups can be made in a hierarchy; undefined where that is not allowed. */
export const baseIn = (hierarchy: Hierarchy, log: Log): BaseCgroup | undefined => {
  const { version, folder, top } = hierarchy
  if (version === 1) return isWritable(folder) ? { version, folder, controllers: hierarchy.controllers } : undefined
  // An earlier daemon, or DelegateSubgroup= of its unit, has put this one into the leaf already.
  if (basename(folder) === leaf && isWritable(dirname(folder))) return handingDown(dirname(folder), 'nobody', log)
  if (!isWritable(folder) || !isWritable(join(folder, 'cgroup.procs'))) return undefined
  // Into a cgroup that hands controllers down systemd could not put the unit's next daemon, while runs of this one are below it
  // (status 219). So without that setting, which is of systemd 254, runs are put beside the units.
  if (!folder.endsWith('.service')) return handingDown(folder, folder === top ? 'all' : 'self', log)
  return isWritable(join(top, 'cgroup.procs')) ? handingDown(top, 'nobody', log) : { version, folder, controllers: [] }
}

/** Hands a controller of version 2 down to the cgroups below this one. */
export const enable = (folder: string, controller: string): void => {
  if (!words(folder, 'cgroup.subtree_control').includes(controller)) {
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`)
  }
}

const wanted = new Set<string>(controllers)

/** Who has to leave a cgroup before it can hand controllers down; in a container, where all there is is ours, that is everybody. */
type Leaving = 'nobody' | 'self' | 'all'

const handingDown = (folder: string, leaving: Leaving, log: Log): BaseCgroup => {
  const there = words(folder, 'cgroup.controllers').filter((word) => wanted.has(word))
  return { version: 2, folder, controllers: there.filter((word) => isEnabled(folder, word, leaving, log)) }
}

const isEnabled = (base: string, controller: string, leaving: Leaving, log: Log): boolean => {
  try {
    try {
      enable(base, controller)
    } catch (error) {
      // A cgroup that hands controllers down may have no processes of its own.
      if (!hasCode(error, 'EBUSY') || leaving === 'nobody') throw error
      makeRoom(base, leaving)
      enable(base, controller)
    }
    return true
  } catch (error) {
    log.debug({ controller, err: error }, 'controller cannot be handed to runs')
    return false
  }
}

/** Moves processes into a leaf. */
const makeRoom = (base: string, leaving: 'self' | 'all'): void => {
  mkdirSync(join(base, leaf), { recursive: true })
  const pids = leaving === 'all' ? words(base, 'cgroup.procs') : [String(process.pid)]
  for (const pid of pids) {
    try {
      writeFileSync(join(base, leaf, 'cgroup.procs'), pid)
    } catch (error) {
      // ESRCH: it has ended meanwhile. Of a kernel thread, or what another moved: the next try of the controller tells.
      if (pid === String(process.pid)) throw error
    }
  }
}

const words = (folder: string, file: string): string[] => {
  const path = join(folder, file)
  return existsSync(path) ? readFileSync(path, 'utf8').split(/\s+/).filter(Boolean) : []
}

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    // Not there, read-only or not ours: the refusal is the answer.
    return false
  }
}
