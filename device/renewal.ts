import { writeFileAtomic } from '../base/atomic-file.ts'
import { type Clock, every, type Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { claimsIn } from '../base/token-claims.ts'
import type { DeviceIdentity } from './identity.ts'
import { askSealed, openSealed } from './joining.ts'

export interface RenewalDeps {
  fleet: string
  device: string
  url: string
  ca: string | undefined
  token: () => string
  /** Where a new one goes; undefined if the token was given by value: then there is nothing to renew. */
  tokenFile: string | undefined
  identity: DeviceIdentity
  /** Thumbprints of the controller keys that are believed. */
  trusted: () => readonly string[]
  /** Whether the device is welcome now: then its token is good. */
  isWelcomed: () => boolean
  clock: Clock
  log: Log
}

const lookEveryMs = 15_000
const answerWithinMs = 10_000

/** Keeps the device's token good: takes the new one that a welcome brings, and asks for one where the old one has expired. */
export const startRenewal = (deps: RenewalDeps) => {
  const { device, fleet, clock, log } = deps

  const take = async (sealed: string): Promise<void> => {
    const own = { identity: deps.identity, fleet, device, trusted: deps.trusted() }
    const token = await openSealed(sealed, own)
    if (token === undefined) return log.warn({}, 'a new token came that is not for this device, or not from its controller')
    if (deps.tokenFile === undefined)
      return log.warn({}, 'a new token came, but the old one was given by value: it cannot be kept')
    writeFileAtomic(deps.tokenFile, token, 0o600)
    log.info({}, 'the token was renewed') // used from the next connect on
  }

  const ask = async (): Promise<void> => {
    const request = deps.identity.signer.sign('skein-renew', JSON.stringify({ fleet, device, trusts: deps.trusted() }))
    const { url, ca } = deps
    const asked = {
      url,
      password: deps.token(),
      subject: device,
      fleet,
      ca,
      operation: 'device/renew',
      timeoutMs: answerWithinMs,
    } as const
    await take(await askSealed(asked, { request }))
  }

  let isAsking = false
  const look = (): void => {
    if (isAsking || deps.tokenFile === undefined || deps.isWelcomed()) return
    const { exp, iat } = claimsIn(deps.token())
    const now = clock.now() / 1000
    // A clock that stands before the token was made tells nothing: such a device may ask as well.
    if (exp === undefined || (exp > now && (iat ?? 0) <= now)) return
    isAsking = true
    ask()
      .catch((error: unknown) => log.warn({ err: error }, 'the token has expired, and no new one was given'))
      .finally(() => {
        isAsking = false
      })
  }
  look()
  const looking: Timer = every(clock, lookEveryMs, look)

  return {
    take: (sealed: string): void => {
      take(sealed).catch((error: unknown) => log.error({ err: error }, 'the new token cannot be kept; the old one still holds'))
    },
    close: (): void => looking.cancel(),
  }
}
