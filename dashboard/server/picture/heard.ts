import type { Bus, Message } from '../../../base/bus.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import { ControllerState, DeviceInfo, DeviceState, Heartbeat } from '../../../schemas/exchange.ts'
import { filterOf, readTopic } from '../../../schemas/topics.ts'
import { Reported } from '../../../schemas/workload-status.ts'
import type { Devices } from './devices.ts'
import { readEvents, readMessage } from './messages.ts'

export interface HeardDeps {
  fleet: string
  bus: Bus
  devices: Devices
  clock: Clock
  log: Log
  /** Called when a device may not be as it was. */
  stir: () => void
  task: (data: Readonly<Record<string, unknown>>) => void
  run: (data: Readonly<Record<string, unknown>>) => void
  /** The controller has something new to tell about a device. */
  device: (name: string) => void
  approval: () => void
  /** Something became of a deployment: of itself, or of one of its devices. */
  deployment: (id: string, state: string | undefined) => void
  /** A device has said how far it is with a release of a deployment. */
  progress: (deployment: string) => void
  release: () => void
  controller: (isOnline: boolean) => void
}

type Schema<T> = { safeParse: (value: unknown) => { success: true; data: T } | { success: false } }

/** What the topics tell that everybody may read. */
export const createHeard = (deps: HeardDeps) => {
  const { fleet, bus, devices, clock, log } = deps

  const fromDevice =
    <T>(schema: Schema<T>, take: (device: string, value: T, isKept: boolean) => void) =>
    (message: Message): void => {
      const device = readTopic(fleet, message.topic)?.params['device']
      if (device === undefined || message.payload.length === 0) return // empty: what was retained is deleted
      const read = schema.safeParse(readMessage(message.payload))
      if (!read.success) return // the controller logs what does not fit
      take(device, read.data, message.retained)
      deps.stir()
    }
  const events = (
    kind: string,
    take: (data: Readonly<Record<string, unknown>>, type: string) => void,
  ): [string, (message: Message) => void] => [
    filterOf(fleet, 'event', { kind }),
    ({ payload }) => {
      for (const { data, type } of readEvents(payload)) take(data, type)
    },
  ]
  const report = (name: string, said: Reported): void => {
    const before = new Set(devices.releasesOf(name).map((one) => JSON.stringify(one)))
    devices.reported(name, said)
    for (const one of said.releases ?? [])
      if (one.wanted && !before.has(JSON.stringify(one))) deps.progress(one.wanted.deployment.replace(/-back$/, ''))
  }

  const takes: readonly [string, (message: Message) => void][] = [
    [
      filterOf(fleet, 'deviceState'),
      fromDevice(DeviceState, (name, said, isKept) => devices.state(name, said, clock.mono(), isKept)),
    ],
    [filterOf(fleet, 'deviceInfo'), fromDevice(DeviceInfo, (name, said) => devices.info(name, said))],
    [filterOf(fleet, 'deviceHeartbeat'), fromDevice(Heartbeat, (name, beat) => devices.heartbeat(name, beat, clock.mono()))],
    [filterOf(fleet, 'deviceReported'), fromDevice(Reported, report)],
    [
      filterOf(fleet, 'controllerState'),
      ({ payload }) => {
        const read = ControllerState.safeParse(readMessage(payload))
        if (read.success) deps.controller(read.data.state === 'online')
      },
    ],
    events('task', deps.task),
    events('run', deps.run),
    events('device', ({ device }) => {
      if (typeof device === 'string') deps.device(device)
    }),
    events('approval', deps.approval),
    events('deployment', ({ deployment_id: id, state }, type) => {
      const isOfDevice = type === 'skein.deployment.device'
      if (typeof id === 'string') deps.deployment(id, !isOfDevice && typeof state === 'string' ? state : undefined)
    }),
    events('audit', (_, type) => {
      if (type.startsWith('skein.audit.release_')) deps.release()
    }),
  ]

  return {
    listen: (): void => {
      for (const [filter, take] of takes)
        bus
          .subscribe(filter, take)
          .catch((error: unknown) => log.warn({ err: error, filter }, 'the dashboard cannot listen to a topic'))
    },
    stop: (): void => {
      for (const [filter] of takes) bus.unsubscribe(filter)
    },
  }
}
