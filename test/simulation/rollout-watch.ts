import type { RolloutOrder } from '../../controller/core/rollout/order.ts'
import type { Rollout, RolloutDevice, RolloutEffect } from '../../controller/core/rollout/rollout.ts'
import { countOfShare } from '../../controller/core/rollout/share.ts'
import { isDeploymentOver, type Strategy } from '../../schemas/deployment.ts'
import type { SimDevice } from './rollout-device.ts'
import type { Kept } from './rollout-world.ts'

export interface RolloutWatchDeps {
  strategy: Strategy
  digest: string
  deviceOf: (name: string) => SimDevice
  keptOf: (name: string) => Kept
}

/** Sees to it that a rollout keeps what it promises, by what the devices are and not by what the rollout thinks of them. */
export const createRolloutWatch = ({ strategy, digest, deviceOf, keptOf }: RolloutWatchDeps) => {
  const installs = new Set<string>()
  const restores = new Map<string, number>()
  const wereLate = new Set<string>()
  const areHeld = new Set<string>()
  let rollbacks = 1

  const groupOf = (name: string): string =>
    strategy.max_unavailable_per === undefined ? '' : `${deviceOf(name).labels[strategy.max_unavailable_per]}`

  /** A device is available if it is there and what it was told last is in good health; one that has been away for long counts for nothing. */
  const isUnavailable = (device: RolloutDevice, told: ReadonlySet<string>, now: number): boolean => {
    const { isMember, isConnected, awayAt, isWell, told: last } = deviceOf(device.device)
    // What a newer deployment does with those that it has taken over is not for this one to promise.
    if (!isMember || isTaken(device)) return false
    if (!isConnected) return now - awayAt < strategy.progress_deadline_seconds * 1000
    if (told.has(device.device)) return true
    if (!device.isTouched) return false
    return !isWell || last.digest !== deviceOf(device.device).content
  }

  const isTaken = (device: RolloutDevice): boolean => keptOf(device.device).supersededBy !== device.overrules

  /** How many of a group may be unavailable, and how many are when these were told something. */
  const countIn = (group: string, rollout: Rollout, told: ReadonlySet<string>, now: number) => {
    const members = rollout.devices.filter(({ device }) => groupOf(device) === group && deviceOf(device).isMember)
    const share = strategy.max_unavailable ?? '100%'
    const number = Number.parseInt(String(share), 10)
    const most = String(share).endsWith('%') ? Math.max(1, Math.floor((members.length * number) / 100)) : number
    return { most, count: members.filter((device) => isUnavailable(device, told, now)).length }
  }

  const seeInstalls = (before: Rollout, after: Rollout, names: readonly string[], now: number): void => {
    const told = new Set(names)
    for (const name of names) {
      if (installs.has(name)) throw new Error(`${name} is installed twice`)
      if (!deviceOf(name).isMember || !deviceOf(name).isConnected) throw new Error(`${name} is not there, and is installed`)
      if (strategy.late === 'hold' && areHeld.has(name)) throw new Error(`${name} is let in, and nobody has resumed`)
      installs.add(name)
      if (strategy.max_unavailable === undefined) continue
      const { most, count } = countIn(groupOf(name), after, told, now)
      if (count > most) throw new Error(`${count} are unavailable where ${most} may be, and ${name} is installed`)
    }
    if (names.length === 0) return
    if (before.state === 'completed' && names.length > countOfShare(strategy.batch, after.devices.length))
      throw new Error(`${names.length} that are late are installed at once`)
    if (before.state === 'paused' || !['pending', 'in_progress', 'completed'].includes(before.state))
      throw new Error(`${names} installed while ${before.state}`)
    const failed = after.devices.filter(({ state, isSentBack }) => state === 'failed' || isSentBack).length
    if (failed > strategy.max_failures) throw new Error(`${names} installed after ${failed} have failed`)
    const batch = Math.max(...after.devices.flatMap((one) => (told.has(one.device) ? [one.batch ?? 0] : [])))
    const early = after.devices.find(
      (one) =>
        one.batch !== null &&
        one.batch < batch &&
        ['pending', 'deploying', 'deployed'].includes(one.state) &&
        !wereLate.has(one.device),
    )
    if (early) throw new Error(`batch ${batch} has begun, and ${early.device} of batch ${early.batch} is ${early.state}`)
    const healthy = after.devices.filter(({ state }) => state === 'healthy').length
    const isFirstOver =
      after.devices.some((one) => told.has(one.device) && one.batch !== after.devices[0]?.batch) && !wereLate.has(names[0] ?? '')
    if (isFirstOver && failed > (strategy.max_failure_ratio ?? 1) * (failed + healthy))
      throw new Error(`${names} installed beyond the ratio`)
  }

  const seeRestores = (before: Rollout, after: Rollout, names: readonly string[], now: number): void => {
    for (const name of names) {
      restores.set(name, (restores.get(name) ?? 0) + 1)
      if ((restores.get(name) ?? 0) > rollbacks) throw new Error(`${name} is restored again and again`)
      if (!installs.has(name)) throw new Error(`${name} is restored, and never was installed`)
    }
    if (strategy.max_unavailable === undefined) return
    const wereHealthy = new Set(before.devices.flatMap(({ device, state }) => (state === 'healthy' ? [device] : [])))
    const wereWell = names.filter((name) => wereHealthy.has(name) && deviceOf(name).isConnected && deviceOf(name).isWell)
    for (const group of new Set(wereWell.map(groupOf))) {
      const { most, count } = countIn(group, after, new Set(names), now)
      const inGroup = wereWell.filter((name) => groupOf(name) === group).length
      if (count > most && inGroup > 1)
        throw new Error(`${inGroup} that were well are restored at once where ${count} of ${most} are unavailable`)
    }
  }

  const seeDevice = (before: Rollout, was: RolloutDevice | undefined, device: RolloutDevice): void => {
    if (was === undefined || was.state === device.state) return
    const { device: name, state, reason } = device
    const wrong = (why: string) => new Error(`${name} was ${was.state}, is ${state} (${reason}): ${why}`)
    if (reason === null && !mayBeSilent.includes(state)) throw wrong('for no reason')
    if (state === 'deferred') {
      wereLate.add(name)
      if (!device.isTouched) areHeld.add(name)
    }
    if (state === 'rolled_back' && !was.isSentBack) throw wrong('it cannot have heard of it')
    if (state === 'rolled_back' && deviceOf(name).reportedRevision < (keptOf(name).revision ?? 0))
      throw wrong('it has not heard of it')
    if (state === 'failed' && before.state === 'completed' && strategy.auto_rollback && device.isTouched && !device.isSentBack)
      throw wrong('it was not sent back')
  }

  return {
    see: (before: Rollout, after: Rollout, effects: readonly RolloutEffect[], now: number): void => {
      if (isDeploymentOver(before.state) && after.state !== before.state) throw new Error(`${before.state} became ${after.state}`)
      const named = (kind: RolloutEffect['kind']) => effects.filter((one) => one.kind === kind).map(({ device }) => device)
      for (const [n, device] of after.devices.entries()) seeDevice(before, before.devices[n], device)
      seeInstalls(before, after, named('install'), now)
      seeRestores(before, after, named('restore'), now)
      if (after.state !== before.state && after.reason === null && !['in_progress', 'completed'].includes(after.state))
        throw new Error(`it is ${after.state} for no reason`)
    },
    ordered: (what: RolloutOrder, before: Rollout, after: Rollout): void => {
      if (after.state === 'rolling_back' && before.state !== 'rolling_back') rollbacks += 1
      if (what === 'resume') areHeld.clear()
    },
    /** When nothing happens any more: all is over, and every device is as its state says. */
    end: (rollout: Rollout): void => {
      if (!isDeploymentOver(rollout.state)) throw new Error(`it hangs: ${rollout.state}, ${rollout.reason}`)
      for (const device of rollout.devices) {
        const { isConnected, isMember, content, isWell, told, fateOf } = deviceOf(device.device)
        const wrong = (why: string) => new Error(`${device.device} is ${device.state} (${device.reason}) in the end: ${why}`)
        switch (device.state) {
          case 'pending':
            if (rollout.state !== 'completed' || !waitsForRoom(device)) throw wrong('nothing more comes of it')
            break
          case 'deploying':
          case 'deployed':
          case 'rolling_back':
            throw wrong('nothing more comes of it')
          case 'deferred':
            if (isConnected && !waitsForRoom(device)) throw wrong('it is there')
            if (!device.isTouched && rollout.state !== 'completed') throw wrong('it never gets its turn')
            break
          case 'healthy':
            if (content !== digest && isMember && isConnected && !isTaken(device)) throw wrong(`it runs ${content}`)
            if (rollout.state === 'rolled_back') throw wrong('it was not sent back')
            break
          case 'rolled_back': {
            const { previous } = keptOf(device.device)
            if (
              isMember &&
              isConnected &&
              !isTaken(device) &&
              (content !== (previous ?? null) || (!isWell && fateOf(true) === 'works'))
            )
              throw wrong(`it runs ${content}`)
            break
          }
          case 'failed':
            if (device.isTouched && fateOf(device.isSentBack) === 'works') throw wrong('nothing has kept it from its way')
            if (rollout.state === 'rolled_back' && device.isTouched && !device.isSentBack) throw wrong('it was not sent back')
            break
          case 'superseded':
            if (told.digest !== 'newer') throw wrong(`it was told to run ${told.digest} last`)
            break
          case 'skipped':
            break
        }
      }
    },
  }
}

/** Where what was healthy turns bad after the end, those that are late wait. */
const waitsForRoom = ({ reason }: RolloutDevice): boolean => reason?.includes('max_unavailable') ?? false

const mayBeSilent: readonly RolloutDevice['state'][] = ['pending', 'deploying', 'deployed', 'healthy']
