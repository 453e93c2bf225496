import type { Clock } from '../base/clock.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'
import type { Effects } from './effects.ts'
import type { FleetDevice } from './fleet.ts'

/** Sets a device offline that will not say so itself. Runs inside a transaction. */
export type GiveUp = (device: FleetDevice, reason: string) => void

export const givingUp =
  ({ fleetName, effects, clock }: { fleetName: string; effects: Effects; clock: Clock }): GiveUp =>
  (device, reason) => {
    const { name, session } = device.row
    device.isConnected = false
    device.isReady = false
    const state = { state: 'offline', session, at: instant(clock.now()), reason }
    effects.message(topicOf(fleetName, 'deviceState', { device: name }), JSON.stringify(state), true)
    effects.event('device', 'skein.device.offline', name, { device: name, state: 'offline', reason })
  }
