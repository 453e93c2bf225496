import { mkdirSync } from 'node:fs'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { systemChance } from '../base/chance.ts'
import { sleep, systemClock } from '../base/clock.ts'
import type { JwsType } from '../base/jws.ts'
import { readJws } from '../base/jws.ts'
import { silentLog } from '../base/log.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import type { pathsIn } from '../base/paths.ts'
import { fetchPinned } from '../base/pinned-certificate.ts'
import { claimsIn } from '../base/token-claims.ts'
import { Joined } from '../schemas/joining.ts'
import { Reply } from '../schemas/request.ts'
import { replyTopicOf, topicOf } from '../schemas/topics.ts'
import { type DeviceIdentity, openIdentity } from './identity.ts'
import { type Membership, writeMembership } from './membership.ts'

export interface JoinOptions {
  url: string
  /** The join token. */
  token: string
  name: string
  paths: ReturnType<typeof pathsIn>
  /** A certificate authority given by hand, as PEM. */
  ca: string | undefined
  timeoutMs: number
}

/** Joining came to nothing: `code` is the refusal's, or `unreachable`. */
export class JoinFailure extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Joins the fleet: makes the device's keys, shows them with the join token, and keeps the token that comes back, which only this
 * device can open and only the controller that the join token names can have signed.
 */
export const joinFleet = async (options: JoinOptions): Promise<Membership> => {
  const { url, token, name, paths } = options
  const claims = claimsIn(token)
  const { sub, fleet, ctl } = claims
  if (claims.role !== 'join' || sub === undefined || fleet === undefined || ctl === undefined)
    throw new JoinFailure('invalid', 'this is no join token; make one with: skein token create --role join')
  const device = paths.device(name)
  mkdirSync(device.folder, { recursive: true, mode: 0o700 })
  const ca = options.ca ?? (/^(mqtts|wss):/.test(url) ? await pinned(url, claims.ca) : undefined)
  const identity = openIdentity(device.identity)
  const request = identity.signer.sign('skein-join', JSON.stringify({ fleet, device: name, ...identity.public, trusts: [ctl] }), {
    withKey: true,
  })
  const asked = { url, password: token, subject: sub, fleet, ca, operation: 'device/join', timeoutMs: options.timeoutMs } as const
  const sealed = await askSealed(asked, { request })
  const own = await openSealed(sealed, { identity, fleet, device: name, trusted: [ctl] })
  if (own === undefined)
    throw new JoinFailure('untrusted', 'the answer was not signed by the controller that the join token names')

  if (ca !== undefined) writeFileAtomic(device.ca, ca)
  writeFileAtomic(device.token, own, 0o600)
  const membership = { device: name, fleet, url, joined_with: claims.jti }
  writeMembership(paths.membership, membership)
  return membership
}

const pinned = async (url: string, hash: string | undefined): Promise<string | undefined> => {
  try {
    return await fetchPinned(url, hash)
  } catch (error) {
    throw new JoinFailure('untrusted', error instanceof Error ? error.message : String(error))
  }
}

/** The token in a sealed answer; undefined unless it is for this device and signed by a key that is trusted. */
export const openSealed = async (
  sealed: string,
  { identity, fleet, device, trusted }: { identity: DeviceIdentity; fleet: string; device: string; trusted: readonly string[] },
): Promise<string | undefined> => {
  const { unseal } = await import('../base/sealing.ts') // seldom needed, and heavy
  const text = await unseal(sealed, identity.sealKey)
  if (text === undefined) return undefined
  const type: JwsType = 'skein-joined'
  const read = readJws(JSON.parse(text), type, (kid, carried) => (trusted.includes(kid) ? carried : undefined))
  const joined = read.ok ? Joined.safeParse(read.payload) : undefined
  if (!joined?.success) return undefined
  const { data } = joined
  return data.fleet === fleet && data.device === device && data.for === identity.signer.kid ? data.token : undefined
}

export interface Asked {
  url: string
  password: string
  subject: string
  fleet: string
  ca: string | undefined
  operation: 'device/join' | 'device/renew'
  timeoutMs: number
}

/** Asks for what comes sealed, again and again until there is an answer: the same question has the same one. */
export const askSealed = async (asked: Asked, input: unknown): Promise<string> => {
  const { fleet, subject } = asked
  const clock = systemClock
  const id = systemChance.ulid(clock.now())
  const replyTo = `${replyTopicOf(fleet, subject)}/${id}`
  const bus = startMqttBus({
    url: asked.url,
    clientId: '',
    username: subject,
    password: asked.password,
    ...(asked.ca === undefined ? {} : { ca: asked.ca }),
    log: silentLog,
    clock,
    chance: systemChance,
    reconnect: { firstMs: 250, mostMs: 2000 },
  })
  let answer: Reply | undefined
  let refusal: string | undefined
  try {
    bus.onRefused((reason, code) => {
      if (code === 4 || code === 5) refusal = reason
    })
    const ask = (): void =>
      bus.publish(
        topicOf(fleet, 'request', { client: subject, operation: asked.operation }),
        JSON.stringify({ id, reply_to: replyTo, input }),
        {
          qos: 1,
        },
      )
    const subscribed = bus.subscribe(replyTo, (message) => {
      const reply = Reply.safeParse(JSON.parse(Buffer.from(message.payload).toString('utf8')))
      if (reply.success && reply.data.id === id) answer = reply.data
    })
    subscribed.catch(() => undefined) // told by the timeout below
    bus.onConnect(ask)
    const deadline = clock.mono() + asked.timeoutMs
    for (let next = clock.mono() + 2000; !answer && clock.mono() < deadline; await sleep(clock, 50)) {
      if (refusal !== undefined) throw new JoinFailure('unauthorized', `the broker at ${asked.url} refuses the token: ${refusal}`)
      if (clock.mono() < next) continue
      next = clock.mono() + 2000
      ask()
    }
    if (!answer)
      throw new JoinFailure(
        'unreachable',
        `no answer from ${asked.url} within ${asked.timeoutMs / 1000} s: ${bus.lastError() ?? 'the controller does not answer'}`,
      )
    if (!answer.ok) throw new JoinFailure(answer.error?.code ?? 'internal', answer.error?.message ?? 'refused')
    const { output } = answer
    if (typeof output === 'object' && output !== null && 'sealed' in output && typeof output.sealed === 'string')
      return output.sealed
    throw new JoinFailure('internal', 'the answer cannot be read')
  } finally {
    await bus.close()
  }
}
