import { z } from 'zod'
import { DeviceName, FleetName } from './ids.ts'
import { PublicJwk } from './keys.ts'

/** Thumbprints of the controller's keys under which the asker believes an answer; the newest signs it where this is not said. */
const trusts = z.array(z.string().max(128)).max(64).optional()

/** What a device that wants to join signs with its own key (`typ` skein-join). */
export const JoinRequest = z.looseObject({ fleet: FleetName, device: DeviceName, sign: PublicJwk, seal: PublicJwk, trusts })
export type JoinRequest = z.infer<typeof JoinRequest>

/** What a device signs that wants a new token (`typ` skein-renew). */
export const RenewRequest = z.looseObject({ fleet: FleetName, device: DeviceName, trusts })

/**
 * The answer to both, and what a welcome may carry: signed by the controller (`typ` skein-joined), then sealed to the device.
 * `for` is the thumbprint of the device's key.
 */
export const Joined = z.looseObject({ fleet: FleetName, device: DeviceName, for: z.string(), token: z.string() })
export type Joined = z.infer<typeof Joined>
