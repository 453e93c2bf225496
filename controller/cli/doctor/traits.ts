import { maxMessageBytes } from '../../../schemas/request.ts'
import type { Trial } from './broker.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { openTwo } from './two.ts'

const burst = 300

/** Many messages at a time: whether all come, in their order, and how fast. */
export const checkTraffic = (trial: Trial): Promise<Check> =>
  openTwo(trial, 'order', async (from, to) => {
    const topic = trial.topic('order')
    await to.subscribe(topic)
    const started = trial.io.clock.mono()
    for (let i = 0; i < burst; i++) from.link.publish(topic, Buffer.from(String(i)), 1, false)
    // What has not come 3 s after the one before it does not come.
    let seen = -1
    while (seen < to.received.length && to.received.length < burst) {
      seen = to.received.length
      await to.until(() => to.received.length >= burst, 3000)
    }
    const isWhole = new Set(numbersIn(to.received)).size >= burst
    const tookMs = Math.max(1, trial.io.clock.mono() - started)
    const came = numbersIn(to.received)
    const raise = 'raise its limits of rate and of queued messages (Mosquitto: max_queued_messages, max_inflight_messages)'
    if (!isWhole)
      return warn(
        'order',
        `of ${burst} messages sent at once ${new Set(came).size} came: Skein sends the others again, and is slow`,
        raise,
      )
    const rate = Math.round((burst * 1000) / tookMs)
    if (rate < 50) return warn('order', `${rate} messages a second: the broker limits the rate, and Skein is as slow`, raise)
    const first = came.filter((one, i) => came.indexOf(one) === i)
    if (first.some((one, i) => one !== i))
      return warn(
        'order',
        'messages of one connection overtake each other',
        'nothing: Skein numbers what counts; output that is followed live can be out of order',
      )
    return ok(
      'order',
      `${burst} messages came in order, ${rate} a second${came.length > burst ? `, ${came.length - burst} of them twice` : ''}`,
    )
  })

const numbersIn = (messages: readonly { payload: Uint8Array }[]): number[] =>
  messages.map(({ payload }) => Number(Buffer.from(payload).toString()))

/** The largest message that gets through, up to what Skein sends. */
export const checkSize = (trial: Trial): Promise<Check> =>
  openTwo(trial, 'size', async (from, to) => {
    const topic = trial.topic('size')
    await to.subscribe(topic)
    let most = 0
    for (const kib of [1, 4, 16, 32, 64, 96, maxMessageBytes / 1024]) {
      const bytes = kib * 1024
      from.link.publish(topic, Buffer.alloc(bytes, 120), 1, false)
      // On a broken connection nothing comes any more.
      await to.until(() => to.received.some(({ payload }) => payload.length === bytes) || !from.isOpen() || !to.isOpen())
      if (!to.received.some(({ payload }) => payload.length === bytes)) break
      most = kib
    }
    if (most * 1024 >= maxMessageBytes) return ok('size', `messages of ${most} KiB get through`)
    const found =
      most === 0 ? 'messages of 1 KiB do not get through' : `messages of up to ${most} KiB get through, larger ones do not`
    return fail(
      'size',
      `${found}; Skein sends up to ${maxMessageBytes / 1024} KiB`,
      'raise its limit (Mosquitto: message_size_limit; EMQX: max_packet_size; NATS: max_payload)',
    )
  })

/** Whether the broker keeps a retained message, for a filter with a wildcard too, marks it as such, and forgets it when told. */
export const checkRetain = (trial: Trial): Promise<Check> =>
  openTwo(trial, 'retain', async (from, to) => {
    const topic = trial.topic('retain/a')
    const slow = 'Skein works without; allow retained messages (Mosquitto: retain_available), or states show later'
    await to.subscribe(topic)
    from.link.publish(topic, Buffer.from('kept'), 1, true)
    const cameLive = await to.until(() => to.received.length > 0)
    const isMarked = to.received.some((one) => one.retained)
    const reread = async (filter: string, withinMs: number): Promise<boolean | undefined> => {
      const opening = await trial.open()
      if (!opening.ok) return undefined
      await opening.probe.subscribe(filter)
      const isThere = await opening.probe.until(() => opening.probe.received.some((one) => one.retained), withinMs)
      await opening.probe.link.end()
      return isThere
    }
    const exact = await reread(topic, 1500)
    const wild = exact && (await reread(trial.topic('retain/+'), 1500))
    from.link.publish(topic, Buffer.alloc(0), 1, true)
    await to.until(() => to.received.length > 1 || !from.isOpen(), 1500)
    const isLeft = exact && (await reread(topic, 500))
    if (!cameLive && !from.isOpen())
      return warn('retain', 'the broker closes the connection on a retained message: dashboards show stale states', slow)
    if (!exact)
      return warn('retain', 'the broker drops retained messages: whoever connects sees a state at its next change only', slow)
    if (isLeft)
      return warn('retain', 'a retained message cannot be cleared', 'update the broker: states of removed devices would stay')
    if (isMarked)
      return fail(
        'retain',
        'live messages are marked as retained: devices take no retained commands',
        'update the broker [MQTT-3.3.1-9]',
      )
    if (!wild)
      return warn(
        'retain',
        'retained messages are not sent for filters with a wildcard: whoever lists devices on MQTT sees each at its next change',
        'nothing: controller, devices and CLI do not need it',
      )
    return ok('retain', 'kept, marked, and forgotten when told')
  })

/** Whether the will of a connection that breaks is sent. */
export const checkWill = (trial: Trial): Promise<Check> => {
  const topic = trial.topic('will')
  return openTwo(
    trial,
    'will',
    async (from, to) => {
      await to.subscribe(topic)
      from.link.cut('to see the will')
      if (await to.until(() => to.received.length > 0, 8000)) return ok('will', 'is sent when a connection breaks')
      return warn(
        'will',
        'is not sent when a connection breaks: a device that dies is shown online until it is missed',
        'allow wills; Skein notices after three heartbeats',
      )
    },
    { topic, payload: 'gone', qos: 1, retain: false },
  )
}

/** Whether a second connection of a client id ends the first, as a device that comes back needs it. */
export const checkTakeover = async (trial: Trial): Promise<Check> => {
  const clientId = trial.fresh()
  const first = await trial.open({ clientId })
  const second = await trial.open({ clientId })
  try {
    if (!first.ok)
      return fail('takeover', `the connection for it was not taken: ${first.reason}`, 'raise the limit of connections')
    if (!second.ok)
      return warn(
        'takeover',
        `a client id in use is refused (${second.reason}): a device that lost its network waits until the broker notices`,
        'let the new connection win [MQTT-3.1.4-2]',
      )
    if (await first.probe.until(() => !first.probe.isOpen(), 5000))
      return ok('takeover', 'a second connection of a client id ends the first')
    return warn(
      'takeover',
      'two connections with one client id stay open: a device may be connected twice',
      'let the new connection win [MQTT-3.1.4-2]',
    )
  } finally {
    if (first.ok) await first.probe.link.end()
    if (second.ok) await second.probe.link.end()
  }
}
