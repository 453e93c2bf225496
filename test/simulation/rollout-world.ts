import { advance } from '../../controller/core/rollout/advance.ts'
import { beginRollout } from '../../controller/core/rollout/begin.ts'
import { startClocksAnew } from '../../controller/core/rollout/clocks.ts'
import { nextLookAt } from '../../controller/core/rollout/next-look.ts'
import { order, type RolloutOrder } from '../../controller/core/rollout/order.ts'
import type { DeviceFacts, Rollout, RolloutEffect } from '../../controller/core/rollout/rollout.ts'
import { isDeploymentOver, Strategy } from '../../schemas/deployment.ts'
import { seeded } from '../harness/seeded.ts'
import { createSimDevice, type Fate, fates, type SimDevice } from './rollout-device.ts'
import { createRolloutWatch } from './rollout-watch.ts'

const id = 'd1'
const digest = 'new'

/** What the world keeps beside a rollout, as the controller does. */
export interface Kept {
  /** The revision that was written last for a device, and what it ran before. */
  revision: number | null
  previous: string | null | undefined
  supersededBy: string | null
  blockedBy: string | null
}

/** A fleet, a release that is rolled out to it, and everything that may come in between, all of it from a seed. */
export const createRolloutWorld = (seed: number) => {
  const chance = seeded(seed)
  const size = 1 + chance.below(chance.isLucky(0.2) ? 40 : 12)
  const strategy = strategyFrom(chance, size)
  const isBadRelease = chance.isLucky(0.3)
  const trouble = chance.pick([0, 0.3, 1])
  const history: string[] = []
  const kept = new Map<string, Kept>()
  let now = 1_000_000
  let newer = 1

  const fateFrom = (badness: number): Fate => (chance.isLucky(badness) ? chance.pick(fates) : 'works')
  const devices = Array.from({ length: size }, (_, n): SimDevice => {
    const fate = fateFrom(isBadRelease ? 0.7 : 0.1 * trouble)
    const backFate = fateFrom(0.05 * trouble)
    const isFirst = chance.isLucky(0.2)
    const device = createSimDevice(`pi-${n}`, isFirst ? null : 'old', chance, fate, backFate === 'goes back' ? 'fails' : backFate)
    if (chance.isLucky(0.9)) device.labels['site'] = chance.pick(['berlin', 'ulm', 'jena'])
    if (chance.isLucky(0.3 * trouble)) device.go(now - 1_000_000)
    const blockedBy = chance.isLucky(0.02 * trouble) ? 'its workload "cam" belongs to cams@1' : null
    kept.set(device.name, { revision: null, previous: undefined, supersededBy: null, blockedBy })
    return device
  })
  const byName = new Map(devices.map((device) => [device.name, device]))
  const deviceOf = (name: string): SimDevice => {
    const device = byName.get(name)
    if (!device) throw new Error(`no device ${name}`)
    return device
  }
  const keptOf = (name: string): Kept => {
    const one = kept.get(name)
    if (!one) throw new Error(`nothing is kept of ${name}`)
    return one
  }

  const factsOf = (name: string): DeviceFacts => {
    const device = deviceOf(name)
    const { revision, previous, supersededBy, blockedBy } = keptOf(name)
    return {
      isMember: device.isMember,
      isConnected: device.isConnected,
      labels: device.labels,
      reported: device.reported,
      isInformed: revision !== null && device.reportedRevision >= revision,
      supersededBy,
      previousDigest: previous,
      blockedBy,
    }
  }

  let rollout: Rollout = beginRollout(
    devices.map(({ name, labels, isConnected }) => ({ device: name, labels, isConnected, hasIt: false })),
    strategy,
    id,
    digest,
    now,
  )
  const watch = createRolloutWatch({ strategy, deviceOf, keptOf, digest })

  const perform = ({ kind, device: name }: RolloutEffect): void => {
    const device = deviceOf(name)
    const one = keptOf(name)
    if (kind === 'install') {
      one.previous ??= device.content === digest ? null : device.content
      one.revision = device.tell(digest, id, now)
    } else one.revision = device.tell(one.previous ?? null, `${id}-back`, now)
  }

  const look = (): void => {
    const facts = new Map(devices.map(({ name }) => [name, factsOf(name)]))
    const frozen = (name: string): DeviceFacts => facts.get(name) ?? factsOf(name)
    const before = rollout
    const { rollout: after, effects } = advance(before, frozen, now)
    if (after.state !== before.state) history.push(`${now} ${before.state} → ${after.state}: ${after.reason}`)
    for (const { kind, device } of effects) history.push(`${now} ${kind} ${device}`)
    for (const { device } of effects) facts.set(device, { ...frozen(device), isInformed: false })
    const again = advance(after, frozen, now)
    if (again.rollout !== after || again.effects.length > 0)
      throw new Error(`a second look changes something: ${difference(after, again.rollout)}`)
    const next = nextLookAt(after, now)
    if (next !== null && next <= now) throw new Error(`it is to be looked at again at once, for ${next}`)
    if (chance.isLucky(0.3)) seeTime(after, frozen, next)
    watch.see(before, after, effects, now)
    for (const effect of effects) perform(effect)
    rollout = after
  }

  /** Until it is to be looked at again time changes nothing. */
  const seeTime = (after: Rollout, frozen: (name: string) => DeviceFacts, next: number | null): void => {
    const until = Math.min(next ?? Number.POSITIVE_INFINITY, now + 1e9)
    const early = advance(after, frozen, Math.floor(chance.between(now, until)))
    if (early.rollout !== after) throw new Error(`time changes something before ${until}: ${difference(after, early.rollout)}`)
  }

  /** Lets time pass, up to this instant, and stops at everything that is due until then. */
  const pass = (until: number): void => {
    for (;;) {
      const next = Math.min(...devices.map(({ dueAt }) => dueAt), nextLookAt(rollout, now) ?? Number.POSITIVE_INFINITY, until)
      now = Math.max(now, Math.ceil(next))
      for (const device of devices) device.step(now)
      look()
      for (const device of devices) device.step(now)
      if (now >= until) return
    }
  }

  const restart = (): void => {
    rollout = JSON.parse(JSON.stringify(rollout)) as Rollout // what was written is what is read
    if (chance.isLucky(0.5)) return
    now += chance.below(5_000_000)
    rollout = startClocksAnew(rollout, now)
    history.push(`${now} restarted`)
    // Nothing new is known yet.
    look()
  }

  const ordered = (what: RolloutOrder): void => {
    const outcome = order(rollout, what, 'admin', now)
    history.push(`${now} ${what}: ${outcome.ok ? outcome.rollout.state : outcome.reason}`)
    if (!outcome.ok) return
    watch.ordered(what, rollout, outcome.rollout)
    rollout = outcome.rollout
  }

  const something = (): void => {
    const dice = chance.random()
    const away = devices.filter((one) => !one.isConnected && one.isMember)
    const from = away.length > 0 && chance.isLucky(0.5) ? away : devices
    const device = from[chance.below(from.length)]
    if (!device) return
    if (dice < 0.45) {
      if (!device.isMember) return
      if (device.isConnected) device.go(now)
      else device.back(now)
      history.push(`${now} ${device.name} ${device.isConnected ? 'is back' : 'has gone'}`)
      look()
    } else if (dice < 0.5) {
      device.isMember = false
      if (device.isConnected) device.go(now)
      history.push(`${now} ${device.name} has left`)
    } else if (dice < 0.58) {
      newer += 1
      keptOf(device.name).supersededBy = `d${newer}`
      device.tell('newer', `d${newer}`, now)
      history.push(`${now} ${device.name} is superseded`)
    } else if (dice < 0.85) restart()
    else ordered(chance.pick(['pause', 'resume', 'resume', 'cancel', 'cancel_and_rollback', 'rollback']))
  }

  return {
    history,
    run: (): Rollout => {
      look()
      const steps = chance.below(60)
      for (let step = 0; step < steps && !(isDeploymentOver(rollout.state) && chance.isLucky(0.2)); step++) {
        pass(now + Math.floor(chance.between(0, chance.pick([100, 5000, 60_000]))))
        if (chance.isLucky(0.5 * trouble)) something()
      }
      // From here on nothing goes wrong any more: some come back, the others never.
      for (const device of devices) if (!device.isConnected && device.isMember && chance.isLucky(0.5)) device.back(now)
      for (let round = 0; round < 2; round++) {
        if (rollout.state === 'paused') ordered('resume')
        pass(now + 3 * 3600_000)
        if (strategy.late === 'hold') ordered('resume')
      }
      pass(now + 3 * 3600_000)
      watch.end(rollout)
      return rollout
    },
  }
}

const strategyFrom = (chance: ReturnType<typeof seeded>, size: number): Strategy => {
  const share = () => chance.pick<number | string>([1, 2, 5, '10%', '50%', '100%'])
  return Strategy.parse({
    batch: share(),
    canary: chance.pick([0, 0, 1, 3]),
    max_failures: chance.pick([0, 0, 1, 3, size]),
    ...(chance.isLucky(0.3) ? { max_failure_ratio: chance.pick([0, 0.2, 0.5]) } : {}),
    ...(chance.isLucky(0.5) ? { max_unavailable: share() } : {}),
    ...(chance.isLucky(0.3) ? { max_unavailable_per: 'site' } : {}),
    pause_seconds: chance.pick([0, 0, 20]),
    auto_rollback: chance.isLucky(0.75),
    late: chance.pick(['apply', 'apply_if_not_superseded', 'hold']),
    health_timeout_seconds: chance.pick([10, 60]),
    progress_deadline_seconds: chance.pick([30, 600]),
  })
}

const difference = (a: Rollout, b: Rollout): string => {
  const { devices: as, ...headA } = a
  const { devices: bs, ...headB } = b
  const changed = as.flatMap((one, n) => (one === bs[n] ? [] : [`${JSON.stringify(one)} → ${JSON.stringify(bs[n])}`]))
  return [JSON.stringify(headA), JSON.stringify(headB), ...changed].join('\n')
}
