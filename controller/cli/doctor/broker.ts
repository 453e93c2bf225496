import { passwordFor } from '../../../base/login.ts'
import type { Will } from '../../../base/mqtt-link.ts'
import { permissionsOf, type Role, roles, topicOf } from '../../../schemas/topics.ts'
import type { Io } from '../io.ts'
import type { Where } from '../where.ts'
import { type Check, fail, ok, skipped } from './check.ts'
import { claimsOf } from './credentials.ts'
import { type Opening, openProbe, type Probe } from './probe-link.ts'
import { checkRights } from './rights.ts'
import { checkRetain, checkSize, checkTakeover, checkTraffic, checkWill } from './traits.ts'
import { openTwo } from './two.ts'

/** What the checks of a broker share. */
export interface Trial {
  where: Where
  role: Role
  io: Io
  /** Below what this token may publish and read: a topic of three levels at most. */
  topic(rest: string): string
  open(how?: { clientId?: string; will?: Will; token?: string; subject?: string; password?: string }): Promise<Opening>
  /** A name that no other trial uses. */
  fresh(): string
}

export interface BrokerFindings {
  checks: Check[]
  isReachable: boolean
}

/** Tries a broker: whether it lets us in, and whether it does what Skein needs of it. Needs nothing but the broker. */
export const checkBroker = async (
  io: Io,
  where: Where,
  deviceTokens: readonly { subject: string; token: string }[],
): Promise<BrokerFindings> => {
  const role = roles.find((one) => one === claimsOf(where.token).role) ?? 'viewer'
  const trial = trialOf(io, where, role)
  const opening = await trial.open()
  if (!opening.ok) return { checks: [notLetIn(where, opening)], isReachable: opening.kind === 'refused' }
  const { probe } = opening
  try {
    const checks = [ok('broker', `${where.url} lets ${where.subject} in`), await checkGrants(trial, probe)]
    if (role !== 'admin' && role !== 'operator') {
      const why = `the token of an admin or operator is needed to try the broker; this is a ${role}'s`
      return { checks: [...checks, skipped('probe', why)], isReachable: true }
    }
    const roundTrip = await checkRoundTrip(trial)
    checks.push(roundTrip)
    if (roundTrip.state === 'fail') return { checks, isReachable: true }
    checks.push(
      await checkTraffic(trial),
      await checkSize(trial),
      await checkRetain(trial),
      await checkWill(trial),
      await checkTakeover(trial),
    )
    checks.push(...(await checkRights(trial, deviceTokens)))
    return { checks, isReachable: true }
  } finally {
    await probe.link.end()
  }
}

const trialOf = (io: Io, where: Where, role: Role): Trial => {
  const fresh = (): string => `doctor-${io.chance.ulid(io.clock.now())}`
  return {
    where,
    role,
    io,
    fresh,
    topic: (rest) => topicOf(where.fleet, 'probe', { client: where.subject, rest }),
    open: ({
      clientId = fresh(),
      will,
      token = where.token,
      subject = where.subject,
      password = passwordFor(where.login, token),
    } = {}) =>
      openProbe({
        url: where.url,
        clientId,
        username: subject,
        password,
        ...(will ? { will } : {}),
        ca: where.ca,
        clock: io.clock,
      }),
  }
}

const notLetIn = (where: Where, opening: Extract<Opening, { ok: false }>): Check => {
  const { url, subject, login } = where
  if (opening.kind === 'unreachable')
    return fail(
      'broker',
      `${url} cannot be reached: ${opening.reason}`,
      'check the address, whether the broker runs, how many connections it takes, and firewalls in between',
    )
  const users =
    login === 'digest'
      ? 'the broker does not know this user with this token: run skein broker-config again and make the broker read it'
      : 'a broker with users of its own wants --login digest; the embedded one and EMQX want a token of this fleet'
  return fail('broker', `${url} refuses ${subject}: ${opening.reason}`, users)
}

/** Whether the broker grants every subscription that the role needs. Some grant all, and deliver only what is allowed. */
const checkGrants = async ({ where, role }: Trial, probe: Probe): Promise<Check> => {
  const { subscribe } = permissionsOf(where.fleet, role, where.subject)
  const refused: string[] = []
  for (const filter of subscribe) if (!(await probe.subscribe(filter))) refused.push(filter)
  if (refused.length === 0) return ok('grants', `all ${subscribe.length} subscriptions of the role ${role} are granted`)
  const todo = 'give the user what the table of topics says: skein broker-config writes it'
  return fail('grants', `not granted: ${refused.join(', ')}${probe.isOpen() ? '' : ' (the broker closed the connection)'}`, todo)
}

/** A message of 8 levels, one of them with a dash, from one connection to another. */
const checkRoundTrip = (trial: Trial): Promise<Check> => {
  const todo = 'its access list is too tight, or it limits the depth of topics: skein broker-config writes what is needed'
  return openTwo(trial, 'delivery', async (from, to) => {
    const topic = trial.topic('round/trip/a-b')
    await to.subscribe(trial.topic('round/#'))
    const started = trial.io.clock.mono()
    from.link.publish(topic, Buffer.from('x'), 1, false)
    if (await to.until(() => to.received.some((one) => one.topic === topic) || !from.isOpen()))
      if (from.isOpen())
        return ok('delivery', `a message of 8 levels arrives after ${Math.round(trial.io.clock.mono() - started)} ms`)
    return fail(
      'delivery',
      `a message to ${topic} does not arrive${from.isOpen() ? '' : ': the broker closes the connection'}`,
      todo,
    )
  })
}
