import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { WorkloadsPort } from '../core.ts'
import type { Journal } from '../journal.ts'
import type { Room } from '../room.ts'
import { type ApplyingDeps, createApplying } from './applying.ts'
import { createBringing } from './bringing.ts'
import { loadBundleTools } from './bundle-tools.ts'
import { createBundles } from './bundles.ts'
import { createPulling } from './pulling.ts'
import { type BundleTools, createReleaseFolders } from './release-folders.ts'
import { createReleaseRows } from './release-rows.ts'
import { createReleases } from './releases.ts'

export interface KeepReleasesDeps extends ApplyingDeps {
  /** Where releases lie. */
  root: string
  journal: Journal
  room: Pick<Room, 'lacks'>
  clock: Clock
  boot: string
  log: Log
  /** Those of `bundle-tools.ts`, if nothing is said. */
  tools?: () => Promise<BundleTools>
  port: Pick<WorkloadsPort, 'commits' | 'controllerNow' | 'isReached' | 'blobs' | 'changed' | 'tellNow'>
}

/** The releases of a real device: with its disk, its journal and its way to the controller. */
export const keepReleases = (deps: KeepReleasesDeps) => {
  const { clock, log, port, boot } = deps
  const { commits } = port
  const rows = createReleaseRows(deps.journal.db)
  const folders = createReleaseFolders({ root: deps.root, tools: deps.tools ?? loadBundleTools, log })
  const pulling = createPulling({ clock, line: port.blobs })
  const store = (work: () => void): void => {
    // Without it a folder is looked at once more.
    commits.run(work, 'process').catch((error: unknown) => log.warn({ err: error }, 'cannot note in which state a release is'))
  }
  const whole = {
    has: (digest: string) => rows.foundWholeIn(digest) === boot,
    add: (digest: string) => store(() => rows.putFolder(digest, boot)),
    drop: (digest: string) => store(() => rows.dropFolder(digest)),
  }
  const releases = createReleases({
    ...{ rows, commits, folders, clock, boot, log },
    bringing: createBringing({
      ...{ folders, whole, log },
      bundles: createBundles({ partOf: folders.partOf, lacksRoom: deps.room.lacks, pulling, log }),
    }),
    applying: createApplying({ ...deps, read: (folder) => deps.read(join(folder, 'workloads')) }),
    controllerNow: port.controllerNow,
    isReached: port.isReached,
    changed: (isVerdict) => (isVerdict ? port.tellNow() : port.changed()),
  })
  return { ...releases, blob: pulling.take, askAgain: pulling.askAgain }
}
export type KeptReleases = ReturnType<typeof keepReleases>
