import { type Clock, every } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import { isDeploymentOver } from '../../schemas/deployment.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { advance } from '../core/rollout/advance.ts'
import { startClocksAnew } from '../core/rollout/clocks.ts'
import { countsOf } from '../core/rollout/counts.ts'
import { nextLookAt } from '../core/rollout/next-look.ts'
import type { Rollout, RolloutDevice, RolloutEffect } from '../core/rollout/rollout.ts'
import type { Effects } from '../effects.ts'
import type { DesiredKeeping } from '../releases/desired.ts'
import type { DeploymentRow } from '../store/deployments.ts'
import type { Store } from '../store/store.ts'
import type { Facts } from './facts.ts'
import { type LiveDeployment, readDeployment } from './live-deployment.ts'
import { summaryOf } from './views.ts'

export interface DeploymentsDeps {
  store: Store
  effects: Effects
  commits: GroupCommit
  desired: DesiredKeeping
  facts: Facts
  isConnected: () => boolean
  clock: Clock
  log: Log
}

/** What happens close together is looked at together. */
const gatherMs = 50
const tickMs = 1000

/**
 * Rolls releases out: what the pure core decides is written down together with what it makes known, one commit for all that has happened meanwhile.
 * All of it is in the database, so that the next controller goes on where this one was.
 */
export const startDeployments = (deps: DeploymentsDeps) => {
  const { store, effects, commits, desired, clock, log } = deps
  const live = new Map<string, LiveDeployment>()
  const dirty = new Set<string>()
  let isPlanned = false
  let isClosed = false

  const enter = (row: DeploymentRow): LiveDeployment | undefined => {
    const known = live.get(row.deployment_id)
    if (known) return known
    const one = readDeployment(store, row)
    if (one) live.set(row.deployment_id, one)
    return one
  }

  /** For a while nobody was listened to: that counts against nobody. */
  const startAnew = (): void => {
    for (const one of live.values()) one.rollout = startClocksAnew(one.rollout, clock.now())
  }

  const load = (): void => {
    live.clear()
    for (const row of store.deployments.alive()) enter(row)
    startAnew()
    for (const id of live.keys()) dirty.add(id)
  }

  /** Inside a transaction: carries out what was decided for a device; gives what is to be remembered of it. */
  const perform = (one: LiveDeployment, effect: RolloutEffect): void => {
    const about = one.devices.get(effect.device)
    if (!about) return
    if (effect.kind === 'install') {
      // What it goes back to is what it ran well, not what another deployment had half done.
      if (about.previous === undefined) about.previous = deps.facts.goodEntry(effect.device, one.row.name)
      about.revision = desired.put(effect.device, one.entry)
    } else {
      const back = about.previous
      // Under a name of its own each time, since a device judges nothing twice; and there is nothing before it to go back to.
      const again = `${one.row.deployment_id}-back-${store.desired.revision(effect.device) + 1}`
      about.revision = back
        ? desired.put(effect.device, { ...back, deployment: again, judge: { ...one.entry.judge, goes_back: false } })
        : desired.remove(effect.device, one.row.name)
    }
    about.isChanged = true
  }

  const tellOf = (one: LiveDeployment, before: Rollout, after: Rollout, by: string | null): void => {
    const { deployment_id: id, name, version } = one.row
    const about = { deployment_id: id, release: `${name}@${version}` }
    const known = new Map(before.devices.map((device) => [device.device, device]))
    for (const device of after.devices) {
      const was = known.get(device.device)
      if (was === device || (was?.state === device.state && was.reason === device.reason)) continue
      const { state, reason, batch } = device
      effects.event('deployment', 'skein.deployment.device', id, { ...about, device: device.device, state, reason, batch })
    }
    if (before.state === after.state && before.reason === after.reason) return
    store.deployments.say({ deployment_id: id, at: clock.now(), state: after.state, reason: after.reason, by })
    const counts = countsOf(after)
    effects.event('deployment', `skein.deployment.${after.state}`, id, {
      ...about,
      state: after.state,
      reason: after.reason,
      counts,
      by,
    })
    log.info({ deployment: id, release: about.release, state: after.state, reason: after.reason }, 'deployment')
  }

  const save = (one: LiveDeployment, before: Rollout, after: Rollout): void => {
    const { devices, ...rest } = after
    store.deployments.update({
      ...{ deployment_id: one.row.deployment_id, state: after.state },
      ...{ rollout: JSON.stringify({ ...rest, summary: summaryOf(after) }), ended_at: after.endedAt },
    })
    const known = new Map<string, RolloutDevice>(before.devices.map((device) => [device.device, device]))
    for (const [n, device] of devices.entries()) {
      const about = one.devices.get(device.device)
      if (!about || (known.get(device.device) === device && !about.isChanged)) continue
      about.isChanged = false
      store.deployments.putDevice({
        ...{ deployment_id: one.row.deployment_id, n, device: device.device, state: device.state, body: JSON.stringify(device) },
        previous: about.previous === undefined ? null : JSON.stringify(about.previous),
        revision: about.revision,
      })
    }
  }

  /** Inside a transaction: what follows for one deployment, now; with `next` from what somebody has ordered. */
  const look = (id: string, next?: Rollout, by: string | null = null): void => {
    const one = live.get(id)
    if (!one) return
    const before = one.rollout
    const { rollout, effects: todo } = advance(next ?? before, (device) => deps.facts.of(one, device), clock.now())
    if (rollout === before && todo.length === 0) return
    for (const effect of todo) perform(one, effect)
    tellOf(one, before, rollout, by)
    save(one, before, rollout)
    one.rollout = rollout
    if (before.state === rollout.state || !isDeploymentOver(rollout.state)) return
    // What it has not taken, or has given back, is not its own any more.
    for (const other of live.values())
      if (other.row.name === one.row.name) other.superseded = store.deployments.superseding(other.row.deployment_id)
  }

  const work = (): void => {
    isPlanned = false
    // What is not heard counts against nobody.
    if (isClosed || dirty.size === 0 || !deps.isConnected()) return
    const ids = [...dirty]
    dirty.clear()
    commits
      .run(() => {
        for (const id of ids) look(id)
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'cannot go on with deployments; trying again')
        for (const id of ids) dirty.add(id)
      })
  }

  const soon = (): void => {
    if (isPlanned) return
    isPlanned = true
    clock.after(gatherMs, work)
  }

  const ticking = every(clock, tickMs, () => {
    const now = clock.now()
    for (const [id, one] of live) {
      const at = nextLookAt(one.rollout, now)
      if (at !== null && at <= now) dirty.add(id)
      for (const [device, about] of one.devices) {
        const isThere = deps.facts.isThere(device)
        if (isThere !== about.wasThere) dirty.add(id)
        about.wasThere = isThere
      }
    }
    if (dirty.size > 0) soon()
  })

  load()
  soon()

  return {
    /** Something of a device may be different: whether it is there, what it reports, its labels. */
    stirred: (device: string): void => {
      for (const [id, one] of live) if (one.devices.has(device)) dirty.add(id)
      if (dirty.size > 0) soon()
    },
    /** Inside a transaction: a new one has been stored. */
    begin: (row: DeploymentRow): void => {
      const one = enter(row)
      for (const [id, other] of live) {
        if (other.row.name === row.name && id !== row.deployment_id)
          for (const device of one?.devices.keys() ?? [])
            if (other.devices.has(device)) other.superseded.set(device, row.deployment_id)
        dirty.add(id)
      }
      soon()
    },
    /** Inside a transaction: somebody's order, and what follows from it. */
    order: (row: DeploymentRow, decide: (rollout: Rollout) => Outcome<Rollout>, by: string): Outcome<LiveDeployment> => {
      const one = enter(row)
      if (!one) return refused('conflict', `the release ${row.name}@${row.version} of this deployment is not there any more`)
      const decided = decide(one.rollout)
      if (!decided.ok) return decided
      look(row.deployment_id, decided.output, by)
      return accepted(one)
    },
    /** One as it is now, whether anything may still happen in it or not. */
    read: (row: DeploymentRow): LiveDeployment | undefined => live.get(row.deployment_id) ?? readDeployment(store, row),
    startAnew,
    /** What was derived in memory is void: the work of a commit was undone. */
    reload: (): void => {
      load()
      soon()
    },
    close: (): void => {
      isClosed = true
      ticking.cancel()
    },
  }
}
export type Deployments = ReturnType<typeof startDeployments>
