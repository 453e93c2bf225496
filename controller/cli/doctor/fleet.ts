import { sleep } from '../../../base/clock.ts'
import type { Device } from '../../../schemas/device.ts'
import { Reply } from '../../../schemas/request.ts'
import { topicOf } from '../../../schemas/topics.ts'
import type { Client } from '../client.ts'
import { CliFailure } from '../exit.ts'
import type { GlobalFlags, Io } from '../io.ts'
import type { Where } from '../where.ts'
import { askPages, taken, withClient } from '../with-client.ts'
import { type Check, fail, ok, skipped, warn } from './check.ts'

export interface FleetFindings {
  checks: Check[]
  /** Whether a controller answers. */
  isReachable: boolean
}

/** The controller behind the broker, and what it knows of its devices. */
export const checkFleet = async (io: Io, flags: GlobalFlags, where: Where): Promise<FleetFindings> => {
  try {
    return await withClient(io, flags, async (client) => {
      const before = io.clock.now()
      const status = taken(await client.ask('system.status', {}))
      const after = io.clock.now()
      const devices = await askPages(
        10_000,
        async (limit, cursor) =>
          taken(await client.ask('device.list', { limit: Math.min(limit, 1000), ...(cursor ? { cursor } : {}) })),
        (page) => page.devices,
      )
      const checks = [
        ok('controller', `answers: version ${status.version}, epoch ${status.epoch}`),
        await checkAlone(io, client, where),
        checkLoop(status.loop_delay),
        checkFound(status.damage),
        checkClock(status.at, before, after),
        ...checkDevices(devices),
      ]
      return { checks, isReachable: true }
    })
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    const isAnswer = error.code !== 'unreachable'
    const todo = isAnswer
      ? 'use a token that the controller lists, with a role that may look'
      : 'start it: skein up, or skein controller --url …; look at its log'
    return { checks: [fail('controller', error.message, todo)], isReachable: isAnswer }
  }
}

/** One request must have one answer. */
const checkAlone = async (io: Io, { bus, fleet }: Client, where: Where): Promise<Check> => {
  const id = `doctor-${io.chance.ulid(io.clock.now())}`
  const reply = topicOf(fleet, 'reply', { client: where.subject, rest: id })
  const epochs: unknown[] = []
  await bus.subscribe(reply, ({ payload }) => {
    const read = Reply.safeParse(JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString()))
    const output: unknown = read.success ? read.data.output : undefined
    epochs.push(typeof output === 'object' && output !== null && 'epoch' in output ? output.epoch : undefined)
  })
  bus.publish(
    topicOf(fleet, 'request', { client: where.subject, operation: 'system/status' }),
    JSON.stringify({ id, reply_to: reply, input: {} }),
  )
  // The others have as long again as the first, and half a second.
  const started = io.clock.mono()
  while (epochs.length === 0 && io.clock.mono() - started < 5000) await sleep(io.clock, 10)
  await sleep(io.clock, 500 + (io.clock.mono() - started))
  bus.unsubscribe(reply)
  if (epochs.length < 2) return ok('alone', 'one controller answers')
  return fail(
    'alone',
    `${epochs.length} controllers answer, of epochs ${epochs.join(', ')}: work would run twice`,
    'end all but one; each fleet has one controller',
  )
}

const checkLoop = (delay: { p99_ms: number; max_ms: number } | undefined): Check => {
  if (!delay) return skipped('load', 'this controller does not measure its loop')
  const found = `the controller's loop was late by ${Math.round(delay.p99_ms)} ms (99 %), ${Math.round(delay.max_ms)} ms at most`
  return delay.p99_ms < 100
    ? ok('load', found)
    : warn('load', found, 'its machine is too slow or too busy: look for what else uses processor and disk')
}

const checkFound = (damage: readonly string[] | undefined): Check =>
  damage === undefined || damage.length === 0
    ? ok('databases', 'the controller found nothing broken at its start')
    : warn('databases', damage.join('; '), 'look at disk and power, and make a backup')

const checkClock = (at: string | undefined, before: number, after: number): Check => {
  if (at === undefined) return skipped('clock', 'this controller does not tell its time')
  const offMs = Date.parse(at) - (before + after) / 2
  const found = `this machine and the controller differ by ${(Math.abs(offMs) / 1000).toFixed(1)} s`
  if (Math.abs(offMs) < 2000 + (after - before) / 2) return ok('clock', found)
  return warn('clock', found, 'set both clocks (NTP): tokens are valid by them, and times in lists are off')
}

const checkDevices = (devices: readonly Device[]): Check[] => {
  if (devices.length === 0) return [warn('devices', 'there are none', 'start one: skein device, or skein up --devices 1')]
  const named = (holds: (device: Device) => boolean): string[] => devices.filter(holds).map(({ device }) => device)
  const [offline, stale, drained] = [
    named((one) => one.state === 'offline'),
    named((one) => one.state === 'stale'),
    named((one) => one.drained),
  ]
  const astray = named((one) => Math.abs(Number(one.metrics?.['clock_offset_ms'] ?? 0)) > 5000)
  const online = devices.length - offline.length - stale.length
  return [
    offline.length + stale.length === 0
      ? ok('devices', `${online} of ${devices.length} online`)
      : warn(
          'devices',
          `${online} of ${devices.length} online${listed('; offline', offline)}${listed('; silent', stale)}`,
          'on the machine itself: skein local status, and the log of its daemon; one that is gone for good: skein device remove',
        ),
    ...(drained.length === 0
      ? []
      : [warn('drained', `get no work${listed('', drained)}`, 'skein device undrain, when they may work again')]),
    ...(astray.length === 0
      ? []
      : [
          warn(
            'device-clocks',
            `off by more than 5 s${listed('', astray)}`,
            'set them (NTP); work is not affected, times of log lines are',
          ),
        ]),
  ]
}

const listed = (before: string, names: readonly string[]): string =>
  names.length === 0
    ? ''
    : `${before}: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}`
