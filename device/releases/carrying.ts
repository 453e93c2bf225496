import { isDeepStrictEqual } from 'node:util'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { DesiredRelease } from '../../schemas/desired.ts'
import { isLackOfRoom } from '../runners/run-folder.ts'
import { isFullDisk } from '../workloads/requests.ts'
import { type Applied, type Applying, type ApplyOrder, refOf } from './applying.ts'
import type { Bringing } from './bringing.ts'
import { isSameWish } from './life.ts'
import type { Phase } from './shown.ts'

/** What was done has been overtaken: none of it is stored. */
export class Stale extends Error {}

/** Something that is stored together with what it belongs to: all of it, or nothing. */
export interface Together {
  /** Inside the transaction; throws if it is stale. */
  also: () => void
  /** Takes in what was stored. */
  adopt: () => void
}

export interface CarryingDeps {
  bringing: Bringing
  applying: Applying
  clock: Clock
  log: Log
  controllerNow: () => number
  switched: (release: DesiredRelease) => Together
  refused: (release: DesiredRelease, reason: string) => void
  /** It is at another step, or much further. */
  changed: () => void
}

const againMs = 1000
/** How often it is told how far a download is. */
const progressMs = 3000

/** Carries releases from what is wanted to what runs: to this disk, out of their bundle, in the place of what was there. */
export const createCarrying = (deps: CarryingDeps) => {
  const { bringing, applying, clock, log } = deps
  const carriers = new Map<string, { release: DesiredRelease; abort: AbortController; phase: Phase | undefined }>()
  let isClosed = false

  const stop = (name: string): void => {
    carriers.get(name)?.abort.abort()
    carriers.delete(name)
  }

  const carry = async (release: DesiredRelease): Promise<void> => {
    const abort = new AbortController()
    const { signal } = abort
    const carrier = { release, abort, phase: undefined as Phase | undefined } // filled in below
    carriers.set(release.name, carrier)
    let toldMono = clock.mono()
    const enter = (state: Phase['state'], bytes: number): void => {
      if (signal.aborted) return
      const before = carrier.phase?.state === state ? carrier.phase : undefined
      carrier.phase = { state, since: before?.since ?? deps.controllerNow(), bytes, total: release.bundle.size }
      if (before && clock.mono() - toldMono < progressMs) return
      toldMono = clock.mono()
      deps.changed()
    }
    const refuse = (reason: string): void => {
      if (signal.aborted) return
      log.warn({ release: refOf(release), deployment: release.deployment, reason }, 'a release cannot be applied')
      deps.refused(release, reason)
    }
    try {
      const obtained = await bringing.obtain(release, signal, {
        downloading: (bytes) => enter('downloading', bytes),
        unpacking: () => enter('unpacking', release.bundle.size),
      })
      if (!obtained.ok) return refuse(obtained.reason)
      enter('applying', release.bundle.size)
      const { also, adopt } = deps.switched(release)
      const applied = await patiently({ ...obtained, release, signal, also })
      if (!applied.ok) return refuse(applied.reason)
      log.info({ release: refOf(release), deployment: release.deployment }, 'a release is applied')
      adopt()
    } catch (error) {
      if (!(error instanceof Stale)) refuse(reasonOf(error))
    }
  }

  /** On a disk where the journal has no room it is applied when there is some. */
  const patiently = async (order: ApplyOrder): Promise<Applied> => {
    for (;;) {
      try {
        return await applying.apply(order)
      } catch (error) {
        if (!isFullDisk(error) || isClosed) throw error
        await sleep(clock, againMs)
      }
    }
  }

  return {
    /** Carries this and nothing else of its name; what is on its way goes on. */
    carry: (release: DesiredRelease): void => {
      const known = carriers.get(release.name)?.release
      // The same may come in another bundle, or from elsewhere.
      if (known && isSameWish(known, release) && isDeepStrictEqual(known.bundle, release.bundle)) return
      stop(release.name)
      void carry(release)
    },
    stop,
    phase: (name: string): Phase | undefined => carriers.get(name)?.phase,
    patiently,
    close: (): void => {
      isClosed = true
      for (const { abort } of carriers.values()) abort.abort()
    },
  }
}
export type Carrying = ReturnType<typeof createCarrying>

const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  const cause = error instanceof Error ? error.cause : undefined
  return isLackOfRoom(error) || isLackOfRoom(cause) ? `disk_full: ${message}` : message
}
