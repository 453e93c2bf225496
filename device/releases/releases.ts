import { type Clock, sleep } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import type { Desired, ReportedRelease } from '../../schemas/desired.ts'
import { releaseNameOf } from '../workloads/apply-plan.ts'
import type { LiveWorkload } from '../workloads/live-workload.ts'
import { statusOf } from '../workloads/status.ts'
import { type Applying, refOf } from './applying.ts'
import type { Bringing } from './bringing.ts'
import { createCarrying, Stale, type Together } from './carrying.ts'
import { createGoingBack } from './going-back.ts'
import { illOf } from './judge.ts'
import { neededBy, newLife, type ReleaseEvent, type ReleaseLife, transition } from './life.ts'
import type { ReleaseFolders } from './release-folders.ts'
import type { ReleaseRows } from './release-rows.ts'
import { createSettling } from './settling.ts'
import { type Drift, shownRelease } from './shown.ts'

export interface ReleasesDeps {
  rows: ReleaseRows
  commits: GroupCommit
  folders: ReleaseFolders
  bringing: Bringing
  applying: Applying
  clock: Clock
  boot: string
  log: Log
  /** The controller's clock, as far as it is known. */
  controllerNow: () => number
  /** Whether the controller can hear this device. */
  isReached: () => boolean
  /** What is reported of them has changed; a verdict does not wait for other news. */
  changed: (isVerdict: boolean) => void
}

const againMs = 1000

/**
 * Brings the releases of a device to what its controller has said last, each by itself: brings it, switches to it, judges it, goes back,
 * or removes it. Each step is in the journal with what it did, so the next daemon goes on from there.
 */
export const createReleases = (deps: ReleasesDeps) => {
  const { rows, commits, folders, bringing, applying, clock, log } = deps
  const lives = new Map<string, ReleaseLife>()
  const drifts = new Map<string, Drift>()
  const clearing = new Set<string>()
  let seen = rows.desired()
  let newest: Desired | undefined
  let isClosed = false

  const workloadsOf = (name: string) => applying.of(name).map(statusOf)
  const settling = createSettling({
    ...{ clock, boot: deps.boot, workloads: workloadsOf },
    judged: ({ name, active }, verdict, reason) => {
      if (!active) return
      const facts = { release: refOf(active), deployment: active.deployment, reason }
      if (verdict === 'failed') log.warn(facts, 'a release has failed')
      else log.info(facts, 'a release is healthy')
      void change(name, { kind: 'judged', release: active, verdict, reason }).then(tidy)
    },
  })
  const carrying = createCarrying({
    ...{ bringing, applying, clock, log, controllerNow: deps.controllerNow },
    switched: (release) => together(release.name, () => ({ kind: 'switched', release, mono: clock.mono(), boot: deps.boot })),
    refused: (release, reason) => void change(release.name, { kind: 'refused', release, reason }).then(tidy),
    changed: () => deps.changed(false),
  })
  const goingBack = createGoingBack({ clock, isReached: deps.isReached, goBack: (life) => void goBack(life) })

  /** Resolves when it is stored, which on a full disk takes until there is room; undefined if that is not waited for any more. */
  const stored = async <T>(work: () => T): Promise<T | undefined> => {
    while (!isClosed) {
      try {
        return await commits.run(work)
      } catch (error) {
        if (isClosed) break
        log.error({ err: error }, 'cannot write the journal; trying again')
        await sleep(clock, againMs)
      }
    }
    return undefined
  }

  /** Inside a transaction. */
  const moveOn = (name: string, event: ReleaseEvent): boolean => {
    const before = rows.get(name)
    const life = before && transition(before, event, deps.controllerNow())
    if (!life || life === before) return false
    rows.put(life)
    return true
  }

  const change = async (name: string, event: ReleaseEvent): Promise<void> => {
    if (await stored(() => moveOn(name, event))) adopt(name)
  }

  /** For a commit that is something else in the first place. */
  const together = (name: string, event: () => ReleaseEvent): Together => ({
    also: () => {
      if (!moveOn(name, event())) throw new Stale('Something else is wanted meanwhile')
    },
    adopt: () => adopt(name),
  })

  /** Takes in how a release stands in the journal, which may be another step further already, and takes its next step. */
  const adopt = (name: string): void => {
    const life = isClosed ? undefined : rows.get(name)
    if (!life) return
    const before = lives.get(name)
    lives.set(name, life)
    step(life)
    lookForDrift(life)
    deps.changed(life.state !== before?.state && (life.state === 'healthy' || life.state === 'failed'))
  }

  const step = (life: ReleaseLife): void => {
    const { name, state, wanted } = life
    if (state === 'downloading' && wanted) carrying.carry(wanted)
    else carrying.stop(name)
    if (state === 'settling') settling.watch(life)
    else settling.forget(name)
    if (state === 'removing') void clear(name)
    goingBack.consider(life)
  }

  const clear = async (name: string): Promise<void> => {
    if (clearing.has(name)) return
    clearing.add(name)
    try {
      await applying.clear(name, together(name, () => ({ kind: 'cleared' })).also)
      adopt(name)
      await forgetIfGone(name)
    } catch (error) {
      if (error instanceof Stale || isClosed) return
      log.error({ err: error, release: name }, 'cannot remove the workloads of a release; trying again')
      clock.after(againMs, () => {
        const life = lives.get(name)
        if (life?.state === 'removing') step(life)
      })
    } finally {
      clearing.delete(name)
    }
  }

  /** Its last run is over. */
  const forgetIfGone = async (name: string): Promise<void> => {
    const life = lives.get(name)
    if (life?.state !== 'removing' || life.active !== null || applying.hasAny(name)) return
    const isGone = await stored(() => {
      const now = rows.get(name)
      if (now?.state !== 'removing') return false
      rows.remove(name)
      return true
    })
    if (isGone !== true) return
    lives.delete(name)
    drifts.delete(name)
    deps.changed(false)
    tidy()
  }

  const goBack = async (life: ReleaseLife): Promise<void> => {
    const { name, previous } = life
    const facts = { release: name, to: previous ? refOf(previous) : null }
    const back = together(name, () => ({ kind: 'went_back' }))
    try {
      const { signal } = new AbortController()
      if (previous === null) await applying.clear(name, back.also)
      else {
        const known = await bringing.known(previous.digest)
        const applied = known.ok ? await carrying.patiently({ ...known, release: previous, signal, also: back.also }) : known
        if (!applied.ok) return log.error({ ...facts, reason: applied.reason }, 'cannot go back from a release that has failed')
      }
      log.warn(facts, 'a release has failed, and the controller cannot be reached: it is taken back')
      back.adopt()
    } catch (error) {
      if (!(error instanceof Stale)) log.error({ ...facts, err: error }, 'cannot go back from a release that has failed')
    }
  }

  const lookForDrift = ({ name, state }: ReleaseLife): void => {
    const reason = state === 'healthy' ? illOf(workloadsOf(name), true) : undefined
    const since = drifts.get(name)?.since ?? deps.controllerNow()
    if (reason === undefined) drifts.delete(name)
    else drifts.set(name, { reason, since })
  }

  const tidy = (): void => {
    if (isClosed || !seen) return
    void dropping(folders.tidy(neededBy(lives.values()), false))
  }
  const dropping = async (names: Promise<readonly string[]>): Promise<void> => {
    const gone = await names.catch((error: unknown): readonly string[] => {
      log.warn({ err: error }, 'cannot remove releases that nobody needs')
      return []
    })
    if (gone.length > 0 && !isClosed) void stored(() => gone.forEach(rows.dropFolder))
  }

  /** Inside a transaction: what is to become of each release, as the document says. */
  const accept = (desired: Desired): string[] => {
    const now = deps.controllerNow()
    rows.setDesired(desired)
    const wanted = new Map(desired.releases.map((one) => [one.name, one]))
    for (const life of rows.all()) if (!wanted.has(life.name)) rows.put(transition(life, { kind: 'unwanted' }, now))
    for (const [name, release] of wanted) {
      const life = rows.get(name)
      rows.put(life ? transition(life, { kind: 'wanted', release }, now) : newLife(release, now))
    }
    return rows.all().map(({ name }) => name)
  }

  return {
    /** The revision and epoch of the document that is obeyed; undefined before the first. */
    seen: (): { revision: number; epoch: number } | undefined => seen,
    /** Obeys a document that was admitted. */
    take: async (desired: Desired): Promise<void> => {
      // The broker gives it again after each connect.
      if (seen?.text === JSON.stringify(desired)) return
      newest = desired
      const all = await stored(() => (newest === desired ? accept(desired) : undefined))
      if (!all) return
      seen = rows.desired()
      for (const name of all) adopt(name)
      deps.changed(false)
    },
    /** Goes on with what an earlier daemon was at. */
    recover: (): void => {
      for (const life of rows.all()) lives.set(life.name, life)
      void dropping(folders.tidy(seen ? neededBy(lives.values()) : null, true))
      for (const life of [...lives.values()]) {
        const { settling: since, name, active } = life
        if (active && !folders.isThere(active.digest)) void change(name, { kind: 'lost' })
        if (since && since.boot !== deps.boot) void change(name, { kind: 'rebooted', mono: clock.mono(), boot: deps.boot })
        step(life)
        lookForDrift(life)
      }
    },
    /** A workload stands otherwise than before. */
    moved: ({ row }: LiveWorkload): void => {
      const name = releaseNameOf(row.origin)
      const life = name === undefined ? undefined : lives.get(name)
      if (!life || isClosed) return
      settling.look(life.name)
      lookForDrift(life)
      if (life.state === 'removing') void forgetIfGone(life.name)
    },
    /** A run of a workload has ended in failure, by itself. */
    failed: ({ row }: LiveWorkload): void => {
      const name = releaseNameOf(row.origin)
      if (name === undefined || !settling.failed(name, row.name)) return
      void stored(() => moveOn(name, { kind: 'ended_badly', workload: row.name }))
    },
    /** By name; undefined where nobody has ever said anything of releases. */
    reported: (): ReportedRelease[] | undefined =>
      seen &&
      [...lives.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((life) => shownRelease(life, carrying.phase(life.name), drifts.get(life.name))),
    close: (): void => {
      isClosed = true
      settling.close()
      goingBack.close()
      carrying.close()
    },
  }
}
export type Releases = ReturnType<typeof createReleases>
