import { existsSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, every } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { type Shim, type ShimEnd, startShim } from './shim.ts'
import { clearFolder, completeFolder, openSpareFolders } from './spare-folders.ts'

const keep = 64
const surplusMs = 2000
/** While runs go on so many shims are kept for the next start: of a service that crashes, a shell's start is half of its way back. */
const warm = 4

export interface ShimsDeps {
  /** The folder of the runs. */
  runs: string
  boot: string
  wake: string
  clock: Clock
  log: Log
  /** The shim of a run has ended, or could not be started, before the run was withdrawn. Never called from within. */
  ended: (run: string, end: ShimEnd) => void
}

/** A shim and its folder: spare, or with a run that goes on, or with one that is over. */
interface Place {
  folder: string
  shim: Shim
  run: string | undefined
  hasServed: boolean
  isWithdrawn: boolean
}

/**
 * The shims of this daemon. To start a shell is the dearest part of a short run, so a shim and its folder are used again when a run
 * has left nothing behind.
 */
export const openShims = ({ runs, boot, wake, clock, log, ended }: ShimsDeps) => {
  const folders = openSpareFolders(join(runs, '.spare'))
  const spares = new Set<Place>()
  /** Spares that were told to go and have not gone yet: no run may be given to them. */
  const leaving = new Set<Place>()
  const byRun = new Map<string, Place>()
  let fewest = 0

  const openPlace = (folder: string): Place => {
    const shim = startShim({ folder, boot, wake, ended: (end) => gone(place, end) })
    const place: Place = { folder, shim, run: undefined, hasServed: false, isWithdrawn: false }
    return place
  }

  const gone = (place: Place, end: ShimEnd): void => {
    if (spares.delete(place) || leaving.delete(place)) return folders.putBack(place.folder)
    if (place.run === undefined || byRun.get(place.run) !== place) return
    byRun.delete(place.run)
    if (place.isWithdrawn) remove(place.folder)
    else ended(place.run, end)
  }

  /** A spare place becomes the folder. One that is there already, from a start that got no further, gets a shim of its own. */
  const placeIn = (folder: string): Place => {
    if (!existsSync(folder)) {
      const [place = openPlace(folders.take())] = spares
      try {
        renameSync(place.folder, folder)
        spares.delete(place)
        fewest = Math.min(fewest, spares.size)
        place.folder = folder
        return place
      } catch (error) {
        spares.add(place)
        if (!existsSync(folder)) throw error
        // Another starter was faster; the claim decides who runs it.
      }
    }
    completeFolder(folder)
    return openPlace(folder)
  }

  const remove = (folder: string): void => {
    rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      log.warn({ folder, err: error }, 'folder of a run cannot be removed'),
    )
  }

  const isReusable = (folder: string): boolean => {
    try {
      return spares.size < keep && clearFolder(folder)
    } catch (error) {
      log.warn({ folder, err: error }, 'folder of a run cannot be used again')
      return false
    }
  }

  // What was not needed for a while is not kept: a device that runs nothing has no shim.
  const trimming = every(clock, surplusMs, () => {
    const wanted = Math.min(byRun.size, warm)
    for (const place of [...spares].slice(0, Math.max(0, Math.min(fewest, spares.size - wanted)))) {
      spares.delete(place)
      leaving.add(place)
      place.shim.dismiss()
    }
    if (spares.size < wanted) makeSpare()
    fewest = spares.size
  })
  const makeSpare = (): void => {
    try {
      spares.add(openPlace(folders.take()))
    } catch (error) {
      // No room, no processes: whoever starts the next run is told so then.
      log.debug({ err: error }, 'no shim can be kept for the next run')
    }
  }

  return {
    /** Makes the folder of a run, with a shim that waits in it. What this returns starts the run, from a text that becomes the program. */
    place: (run: string): ((program: string) => void) => {
      const place = placeIn(join(runs, run))
      Object.assign(place, { run, hasServed: false, isWithdrawn: false })
      byRun.set(run, place)
      return (program) => {
        place.hasServed = true
        place.shim.serve(run, program)
      }
    },
    /** The run is over and released: its folder is out of the way at once, and taken back or removed when its shim has left it. */
    withdraw: (run: string): void => {
      const folder = folders.withdraw(join(runs, run))
      if (folder === undefined) return
      const place = byRun.get(run)
      if (!place) return remove(folder)
      Object.assign(place, { folder, isWithdrawn: true })
      if (!place.hasServed) place.shim.dismiss()
    },
    /** The shim of a run has let go of its pipes. */
    left: (run: string): void => {
      const place = byRun.get(run)
      if (!place?.isWithdrawn) return
      if (!isReusable(place.folder)) return place.shim.dismiss()
      byRun.delete(run)
      place.run = undefined
      spares.add(place)
    },
    close: (): void => {
      trimming.cancel()
      for (const { shim } of [...spares, ...byRun.values()]) shim.dismiss()
    },
  }
}
