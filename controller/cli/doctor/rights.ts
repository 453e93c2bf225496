import { topicOf } from '../../../schemas/topics.ts'
import type { Trial } from './broker.ts'
import { type Check, fail, ok, skipped, warn } from './check.ts'

/** Nobody's device: what is published as it reaches no device, and a controller that hears it drops it. */
const nobody = 'doctor-probe'

/** Whether the broker keeps people apart: no entry without a password, no word in another's name. */
export const checkRights = async (
  trial: Trial,
  deviceTokens: readonly { subject: string; token: string }[],
): Promise<Check[]> => {
  const { fleet } = trial.where
  const asController = topicOf(fleet, 'event', { kind: nobody })
  const device = deviceTokens[0]
  const asDevice = topicOf(fleet, 'deviceHeartbeat', { device: nobody })
  return [
    await checkPassword(trial),
    await checkForgery(
      trial,
      'controller-only',
      `${trial.where.subject} can publish what only the controller may`,
      asController,
      '[]',
    ),
    device
      ? await checkForgery(trial, 'device-only', `device ${device.subject} can speak for others`, asDevice, '"probe"', device)
      : skipped('device-only', 'there is no token of a device here to try it with'),
  ]
}

const tighten = 'anybody with a connection could give orders to every device: set up users and permissions (skein broker-config)'

const checkPassword = async (trial: Trial): Promise<Check> => {
  const opening = await trial.open({ password: 'not-the-password' })
  if (!opening.ok) return ok('password', 'a wrong one is refused')
  await opening.probe.link.end()
  return warn('password', 'the broker lets in whoever comes, with any password', tighten)
}

/** Publishes what must not get through; the broker may drop it or close the connection. */
const checkForgery = async (
  trial: Trial,
  id: string,
  claim: string,
  topic: string,
  payload: string,
  as: { subject: string; token: string } | undefined = undefined,
): Promise<Check> => {
  const to = await trial.open()
  const from = await trial.open(as ?? {})
  try {
    if (!to.ok) return fail(id, `the connection for it is not taken: ${to.reason}`, 'raise its limit of connections')
    if (!from.ok)
      return warn(
        id,
        `the broker does not let ${as?.subject ?? trial.where.subject} in: ${from.reason}`,
        'run skein broker-config again',
      )
    await to.probe.subscribe(topic)
    from.probe.link.publish(topic, Buffer.from(payload), 1, false)
    // What comes after it on the same way shows that it has been dealt with.
    const mark = trial.topic('mark')
    await to.probe.subscribe(mark)
    const marker = await trial.open()
    await from.probe.until(() => from.probe.link.inFlight() === 0 || !from.probe.isOpen(), 2000)
    if (marker.ok) {
      marker.probe.link.publish(mark, Buffer.from('x'), 1, false)
      await to.probe.until(() => to.probe.received.some((one) => one.topic === mark), 2000)
      await marker.probe.link.end()
    }
    if (to.probe.received.some((one) => one.topic === topic)) return fail(id, claim, tighten)
    return ok(id, as ? `device ${as.subject} cannot speak for others` : `${trial.where.subject} cannot speak for the controller`)
  } finally {
    if (from.ok) await from.probe.link.end()
    if (to.ok) await to.probe.link.end()
  }
}
