import type { ReleaseState, ReportedRelease } from '../../schemas/desired.ts'
import type { Seeded } from '../harness/seeded.ts'

/** What becomes of a release on a device. */
export const fates = ['works', 'fails', 'fails late', 'goes back', 'hangs', 'dies', 'stumbles'] as const
export type Fate = (typeof fates)[number]

/** What a device was told to run: the newest revision counts. */
interface Told {
  revision: number
  digest: string | null
  deployment: string
}

const stages = ['downloading', 'downloading', 'unpacking', 'applying', 'settling'] as const satisfies readonly ReleaseState[]

/**
 * A device as a rollout sees it: it takes up what it is told when it is connected, gets through the stages of it in its time, and is heard only
 * while it is connected.
 */
export const createSimDevice = (name: string, previous: string | null, chance: Seeded, fate: Fate, fateBack: Fate) => {
  let told: Told = { revision: 1, digest: previous, deployment: 'before' }
  let known = 1
  let at: { stage: number; state: ReleaseState; reason: string | null; wentBack: boolean } = {
    stage: stages.length,
    state: 'healthy',
    reason: null,
    wentBack: false,
  }
  let dueAt = Number.POSITIVE_INFINITY
  let hearsAt = 0
  let wanted: Told = told

  const device = {
    name,
    previous,
    labels: {} as Record<string, string>,
    isConnected: true,
    isMember: true,
    awayAt: 0,
    /** What it runs, and whether that is in good health. */
    content: previous,
    isWell: true,
    /** As the controller knows it. */
    reported: null as ReportedRelease | null,
    reportedRevision: 1,
    get dueAt() {
      return device.isConnected && told.revision > known ? Math.min(dueAt, hearsAt) : dueAt
    },
    get told() {
      return told
    },
    fateOf: (isSentBack: boolean): Fate => (isSentBack ? fateBack : fate),
    tell: (digest: string | null, deployment: string, now: number): number => {
      hearsAt = now + chance.below(3000)
      told = { revision: told.revision + 1, digest, deployment }
      return told.revision
    },
    go: (now: number): void => {
      device.isConnected = false
      device.awayAt = now
    },
    back: (now: number): void => {
      device.isConnected = true
      // A download that stood still goes on.
      if (at.state === 'downloading' && wanted.digest !== device.content && fateNow() !== 'hangs') dueAt = now + 1000
    },
    /** Does what is due, and says how it is. */
    step: (now: number): void => {
      if (device.isConnected && told.revision > known && hearsAt <= now) take(now)
      if (dueAt <= now) work(now)
      if (device.isConnected) say(now)
    },
  }

  /** What somebody else wrote for it works. */
  const fateNow = (): Fate => (wanted.deployment === 'd1' ? fate : wanted.deployment === 'd1-back' ? fateBack : 'works')

  const take = (now: number): void => {
    known = told.revision
    wanted = told
    const isThere = wanted.digest === device.content && device.isWell
    at = { stage: isThere ? stages.length : 0, state: isThere ? 'healthy' : 'downloading', reason: null, wentBack: false }
    if (wanted.digest === null) at = { stage: stages.length, state: 'removing', reason: null, wentBack: false }
    dueAt = isThere ? Number.POSITIVE_INFINITY : now + chance.between(100, 4000)
  }

  const work = (now: number): void => {
    dueAt = Number.POSITIVE_INFINITY
    const fate = fateNow()
    const fail = (reason: string): void => {
      at = { ...at, state: 'failed', reason }
      if (device.content === wanted.digest) device.isWell = false
      if (fate === 'goes back' && device.content === wanted.digest) {
        at.wentBack = true
        device.content = previous
        device.isWell = true
      }
    }
    if (at.state === 'removing') {
      device.content = null
      device.isWell = true
      return
    }
    if (at.state === 'healthy' || at.state === 'unhealthy') {
      at = { ...at, state: at.state === 'healthy' ? 'unhealthy' : 'healthy' }
      device.isWell = at.state === 'healthy'
      if (at.state === 'unhealthy' && fate === 'stumbles') dueAt = now + chance.between(1000, 20_000)
      return
    }
    if (at.state === 'downloading' && !device.isConnected) return
    if (fate === 'fails' && chance.isLucky(0.4)) return fail('it is damaged')
    if (fate === 'hangs' && chance.isLucky(0.4)) return
    at.stage += 1
    const next = stages[at.stage]
    if (next !== undefined) {
      at.state = next
      if (next === 'settling') {
        device.content = wanted.digest
        device.isWell = false
      }
      dueAt = now + chance.between(100, 8000)
      return
    }
    if (fate === 'hangs') {
      at.stage -= 1
      return
    }
    if (fate === 'fails' || fate === 'fails late' || fate === 'goes back') return fail('exited with 1')
    at.state = 'healthy'
    device.isWell = true
    if (fate === 'dies' || fate === 'stumbles') dueAt = now + chance.between(500, 40_000)
  }

  const say = (now: number): void => {
    const version = (digest: string) => ({ version: digest, digest })
    const nothing = device.content === null && wanted.digest === null
    device.reportedRevision = known
    device.reported = nothing
      ? null
      : {
          name: 'app',
          active: device.content === null ? null : version(device.content),
          wanted: wanted.digest === null ? null : { ...version(wanted.digest), deployment: wanted.deployment },
          state: at.state,
          reason: at.reason,
          since: new Date(now).toISOString(),
          ...(at.wentBack ? { went_back: true } : {}),
          ...(at.state === 'downloading' ? { progress: { bytes: at.stage * 1000, total: 2000 } } : {}),
        }
  }

  say(0)
  return device
}
export type SimDevice = ReturnType<typeof createSimDevice>
