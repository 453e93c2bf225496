import { expect } from 'vitest'
import { isDeploymentOver } from '../../schemas/deployment.ts'
import { eventually } from './eventually.ts'
import { type ReleaseWorld, startReleaseWorld } from './release-world.ts'
import { seeded } from './seeded.ts'

export interface RolloutTrialOptions {
  devices: number
  /** How often hub or a device is killed with -9. */
  kills: number
  seed: number
}

/** At most so many are without their service at a time: a batch. */
const batch = 4
/** A service that has written nothing for so long is not there, on a machine as busy as this one. */
const silenceSeconds = 6

/**
 * Releases that are good and that fail roll out one after the other, while hub and devices are killed at random moments. After each of them every
 * device runs the content that it is to run, by what its service writes; and no more of them are without it at a time than was promised.
 */
export const runRolloutTrial = async ({ devices: count, kills, seed }: RolloutTrialOptions) => {
  const random = seeded(seed)
  const world = await startReleaseWorld({ devices: count })
  const devices = Array.from({ length: count }, (_, i) => `local-${i + 1}`)
  const found = { deployments: 0, completed: 0, rolled_back: 0, hub_kills: 0, device_kills: 0, most_without: 0 }
  try {
    await world.release('app', '1.0.0')
    const first = await world.deploy(bodyOf('app@1.0.0', count))
    await world.when('the first release on all', first, ({ state }) => state === 'completed', 120_000)
    let runs = '1.0.0'
    const isOver = (): boolean => found.hub_kills + found.device_kills >= kills && found.completed > 0 && found.rolled_back > 0
    for (let n = 2; !isOver(); n++) {
      const isGood = found.completed === 0 || (found.rolled_back > 0 && random.isLucky(0.5))
      const version = `${n}.0.0`
      await world.release('app', version, isGood ? 'good' : random.pick(['exits', 'dies', 'sick']))
      const from = Date.now() / 1000
      const id = await world.deploy(bodyOf(`app@${version}`, batch))
      found.deployments++
      await killing(
        world,
        id,
        devices,
        random,
        found,
        Math.min(kills, found.hub_kills + found.device_kills + Math.ceil(kills / 2)),
      )
      const ended = await world.when('its end', id, ({ state }) => isDeploymentOver(state), 240_000)
      expect([ended.state, ended.reason], version).toEqual([
        isGood ? 'completed' : 'rolled_back',
        isGood ? null : expect.any(String),
      ])
      found[isGood ? 'completed' : 'rolled_back']++
      if (isGood) runs = version
      for (const device of devices) await world.runs(device, runs, world.dataOf(`app@${runs}`))
      found.most_without = Math.max(found.most_without, mostWithout(world, devices, from, Date.now() / 1000))
      expect(found.most_without, 'devices without their service at a time').toBeLessThanOrEqual(batch)
    }
    return found
  } finally {
    await world.close()
  }
}

const bodyOf = (release: string, at: number) => ({
  ...{ release, target: { selector: '' }, batch: at, max_unavailable: at },
  ...{ min_healthy_seconds: 2, health_timeout_seconds: 30 },
})

const killing = async (
  world: ReleaseWorld,
  id: string,
  devices: readonly string[],
  random: ReturnType<typeof seeded>,
  found: { hub_kills: number; device_kills: number },
  kills: number,
): Promise<void> => {
  while (found.hub_kills + found.device_kills < kills) {
    await new Promise((resolve) => setTimeout(resolve, random.between(200, 3000)))
    if (isDeploymentOver((await world.deployment(id)).state)) return
    const [first = 'local-1', ...others] = devices
    const isHub = random.isLucky(0.7)
    const part = isHub ? 'hub' : (`device ${random.pick([first, ...others])}` as const)
    if (world.fleet.kill(part) === undefined) continue
    found[isHub ? 'hub_kills' : 'device_kills']++
    await eventually(
      'an answer after the kill',
      async () => (await world.fleet.answered('GET', '/status')).status === 200,
      60_000,
    )
  }
}

/** How many devices were without their service at the same moment: none of its lines for so long before and after it. */
const mostWithout = (world: ReleaseWorld, devices: readonly string[], from: number, to: number): number => {
  const times = devices.map((device) => world.lines(device).map(({ at }) => at))
  let most = 0
  for (let moment = from + silenceSeconds; moment < to - silenceSeconds; moment += 0.5) {
    const without = times.filter((list) => !list.some((at) => Math.abs(at - moment) < silenceSeconds / 2)).length
    most = Math.max(most, without)
  }
  return most
}
