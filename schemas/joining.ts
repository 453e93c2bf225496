import { z } from 'zod'
import { DeviceName, FleetName } from './ids.ts'
import { PublicJwk } from './keys.ts'

/** What a device that wants to join signs with its own key (`typ` skein-join). */
export const JoinRequest = z.looseObject({ fleet: FleetName, device: DeviceName, sign: PublicJwk, seal: PublicJwk })
export type JoinRequest = z.infer<typeof JoinRequest>

/** What a device signs that wants a new token (`typ` skein-renew). */
export const RenewRequest = z.looseObject({ fleet: FleetName, device: DeviceName })

/**
 * The answer to both, and what a welcome may carry: signed by the controller (`typ` skein-joined), then sealed to the device.
 * `for` is the thumbprint of the device's key.
 */
export const Joined = z.looseObject({ fleet: FleetName, device: DeviceName, for: z.string(), token: z.string() })
export type Joined = z.infer<typeof Joined>
