import type { Bus, Message } from '../../../base/bus.ts'
import { type Clock, every, type Timer } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { Approval } from '../../../schemas/approval-operations.ts'
import type { Bar, ChangedTask, FleetChange, Overview, RecentTask, TasksChange } from '../../../schemas/dashboard.ts'
import type { Device } from '../../../schemas/device.ts'
import type { Outcome } from '../../../schemas/errors.ts'
import { ControllerState, DeviceInfo, DeviceState, Heartbeat } from '../../../schemas/exchange.ts'
import { instant } from '../../../schemas/ids.ts'
import type { InputOf, OperationName, OutputOf } from '../../../schemas/operations.ts'
import type { Task } from '../../../schemas/task.ts'
import { filterOf, readTopic } from '../../../schemas/topics.ts'
import { Reported } from '../../../schemas/workload-status.ts'
import { attentionTo } from './attention.ts'
import { createDevices } from './devices.ts'
import { readEvents, readMessage } from './messages.ts'
import { createRefresh } from './refresh.ts'
import { whatOf } from './what.ts'

export interface PictureDeps {
  fleet: string
  bus: Bus
  /** Asks the controller with the dashboard's own token. */
  ask: <N extends OperationName>(name: N, input: Partial<InputOf<N>>) => Promise<Outcome<OutputOf<N>>>
  clock: Clock
  log: Log
}

/** What has changed since the last word. */
export interface PictureChange {
  bar: Bar | undefined
  overview: Partial<Overview> | undefined
  fleet: FleetChange | undefined
  devices: ReadonlySet<string>
  tasks: TasksChange | undefined
  taskIds: ReadonlySet<string>
  approvals: boolean
}

/** Changes are told at most four times a second; the first one after a quiet while at once. */
const tellEveryMs = 250
const gatherMs = 15
const mostTasksTold = 200
const mostRecent = 10
const lostWithinMs = 24 * 3600_000
/** Somebody who loads the page again is back within this time. */
const lingerMs = 30_000
const noThroughput: Overview['throughput'] = {
  from: instant(0),
  step_seconds: 60,
  submitted: [],
  succeeded: [],
  failed: [],
  cancelled: [],
}

/**
 * The fleet as it is now, for as long as somebody looks: subscribed to the topics that everybody may read, and asking the controller for
 * what they do not tell. While nobody looks it listens to nothing and asks for nothing.
 */
export const createPicture = ({ fleet, bus, ask, clock, log }: PictureDeps) => {
  const devices = createDevices()
  let approvals: readonly Approval[] = []
  let recent: readonly RecentTask[] = []
  let lost: { task_id: string; device: string | null; reason: string | null; at: number }[] = []
  let status: OutputOf<'system.status'> | undefined
  let throughput = noThroughput
  let isControllerOnline = true
  let isReached = true
  let changedTasks = new Map<string, ChangedTask>()
  let moreTasks = 0
  let changedTaskIds = new Set<string>()
  let haveApprovalsChanged = false
  const toAskAbout = new Set<string>()

  let isAwake = false
  let watchesOverview = false
  let lingering: Timer | undefined
  let ticking: Timer | undefined
  let telling: Timer | undefined
  let toldAtMono = 0
  let told: { overview: Overview; bar: string } | undefined
  let loaded: Promise<void> | undefined
  let onChange: (change: PictureChange) => void = () => undefined

  /** Something may be different: it is told soon. */
  const stir = (): void => {
    if (!isAwake || telling) return
    telling = clock.after(Math.max(gatherMs, toldAtMono + tellEveryMs - clock.mono()), tell)
  }

  const asked = async <N extends OperationName>(
    name: N,
    input: Partial<InputOf<N>>,
    take: (output: OutputOf<N>) => void,
  ): Promise<boolean> => {
    const outcome = await ask(name, input)
    if (outcome.ok) take(outcome.output)
    else if (isReached) log.warn({ operation: name, error: outcome.error }, 'the controller could not be asked')
    stir()
    return outcome.ok
  }

  const wholeList = createRefresh(clock, { gapMs: 2000, everyMs: 60_000 }, async () => {
    const found: Device[] = []
    let cursor: string | null | undefined
    do {
      const isFine = await asked('device.list', { limit: 1000, ...(cursor ? { cursor } : {}) }, (page) => {
        found.push(...page.devices)
        cursor = page.cursor
      })
      if (!isFine) return wholeList.want()
    } while (cursor)
    toAskAbout.clear()
    devices.list(found, clock.now(), clock.mono())
    stir()
  })
  const single = createRefresh(clock, { gapMs: 100, everyMs: 3_600_000 }, async () => {
    const names = [...toAskAbout]
    toAskAbout.clear()
    if (names.length > 20) return wholeList.want()
    for (const device of names) {
      const outcome = await ask('device.get', { device })
      if (outcome.ok) devices.put(outcome.output, clock.now(), clock.mono())
      else if (outcome.error.code === 'not_found') devices.remove(device)
      else wholeList.want()
    }
    stir()
  })
  const statusNow = createRefresh(clock, { gapMs: 1000, everyMs: 5000 }, async () => {
    isReached = await asked('system.status', {}, (now) => {
      status = now
    })
  })
  const throughputNow = createRefresh(clock, { gapMs: 5000, everyMs: 15_000 }, async () => {
    if (!watchesOverview) return
    await asked('task.throughput', {}, (now) => {
      throughput = now
    })
  })
  const recentNow = createRefresh(clock, { gapMs: 1000, everyMs: 30_000 }, async () => {
    if (!watchesOverview) return
    await asked('task.list', { limit: mostRecent }, (now) => {
      recent = now.tasks.map(recentOf)
    })
  })
  const lostNow = createRefresh(clock, { gapMs: 2000, everyMs: 60_000 }, async () => {
    await asked('task.list', { limit: mostRecent, state: ['lost'], since: instant(clock.now() - lostWithinMs) }, (now) => {
      lost = now.tasks.map((task) => ({ ...task, at: Date.parse(task.ended_at ?? task.created_at) }))
    })
  })
  const approvalsNow = createRefresh(clock, { gapMs: 200, everyMs: 30_000 }, async () => {
    await asked('approval.list', { limit: 200, state: ['pending'] }, (now) => {
      const pending = now.approvals.filter(({ answer }) => answer === null).reverse()
      haveApprovalsChanged ||= JSON.stringify(pending) !== JSON.stringify(approvals)
      approvals = pending
    })
  })
  const refreshes = [wholeList, single, statusNow, throughputNow, recentNow, lostNow, approvalsNow]
  const refreshAll = (): void => {
    for (const one of refreshes) one.want()
  }

  const bar = (overview: Overview): Bar => ({
    broker: bus.isConnected(),
    controller: isControllerOnline && isReached,
    online: overview.devices.online,
    devices: overview.devices.online + overview.devices.stale + overview.devices.offline,
    approvals: approvals.length,
    attention: overview.attention_count,
  })

  const overviewNow = (): Overview => {
    const queue = status?.queue ?? { depth: 0, oldest_seconds: null }
    const { shown, count } = attentionTo({
      devices: devices.each(),
      approvals,
      lost,
      queue,
      damage: status?.damage ?? [],
      controller: isControllerOnline && isReached,
      now: clock.now(),
      mono: clock.mono(),
    })
    return {
      devices: devices.counts(),
      tasks: status?.tasks ?? {},
      queue: { depth: queue.depth, oldest_seconds: queue.oldest_seconds === null ? null : Math.round(queue.oldest_seconds) },
      throughput,
      recent,
      attention: shown,
      attention_count: count,
    }
  }

  const tell = (): void => {
    telling = undefined
    if (!isAwake) return
    toldAtMono = clock.mono()
    const overview = overviewNow()
    const nowBar = bar(overview)
    const barText = JSON.stringify(nowBar)
    const { fleet: fleetChange, devices: names } = devices.take(clock.now(), clock.mono())
    const tasks = changedTasks.size > 0 ? { tasks: [...changedTasks.values()], more: moreTasks } : undefined
    const change: PictureChange = {
      bar: told?.bar === barText ? undefined : nowBar,
      overview: told ? differing(told.overview, overview) : overview,
      fleet: fleetChange,
      devices: names,
      tasks,
      taskIds: changedTaskIds,
      approvals: haveApprovalsChanged,
    }
    told = { overview, bar: barText }
    changedTasks = new Map()
    changedTaskIds = new Set()
    moreTasks = 0
    haveApprovalsChanged = false
    onChange(change)
  }

  const fromDevice =
    <T>(
      schema: { safeParse: (value: unknown) => { success: true; data: T } | { success: false } },
      take: (device: string, value: T) => void,
    ) =>
    (message: Message): void => {
      const device = readTopic(fleet, message.topic)?.params['device']
      if (device === undefined || message.payload.length === 0) return // empty: what was retained is deleted
      const read = schema.safeParse(readMessage(message.payload))
      if (!read.success) return // the controller logs what does not fit
      take(device, read.data)
      stir()
    }

  const taskEvent = (data: Readonly<Record<string, unknown>>): void => {
    const id = data['task_id']
    if (typeof id !== 'string') return
    changedTaskIds.add(id)
    if (typeof data['state'] === 'string') {
      if (changedTasks.size < mostTasksTold || changedTasks.has(id))
        changedTasks.set(id, data as unknown as ChangedTask) // as the controller's task events are
      else moreTasks += 1
      if (data['state'] === 'lost') lostNow.want()
    }
    if (watchesOverview) {
      statusNow.want()
      recentNow.want()
      throughputNow.want()
    }
    stir()
  }

  const takes: readonly [string, (message: Message) => void][] = [
    [filterOf(fleet, 'deviceState'), fromDevice(DeviceState, (device, value) => devices.state(device, value, clock.mono()))],
    [filterOf(fleet, 'deviceInfo'), fromDevice(DeviceInfo, devices.info)],
    [
      filterOf(fleet, 'deviceHeartbeat'),
      fromDevice(Heartbeat, (device, value) => devices.heartbeat(device, value, clock.mono())),
    ],
    [filterOf(fleet, 'deviceReported'), fromDevice(Reported, devices.reported)],
    [
      filterOf(fleet, 'controllerState'),
      ({ payload }) => {
        const read = ControllerState.safeParse(readMessage(payload))
        if (!read.success) return
        const wasOnline = isControllerOnline
        isControllerOnline = read.data.state === 'online'
        if (isControllerOnline && !wasOnline) refreshAll()
        stir()
      },
    ],
    [filterOf(fleet, 'event', { kind: 'task' }), ({ payload }) => readEvents(payload).forEach(({ data }) => taskEvent(data))],
    [
      filterOf(fleet, 'event', { kind: 'run' }),
      ({ payload }) => {
        for (const { data } of readEvents(payload)) if (typeof data['task_id'] === 'string') changedTaskIds.add(data['task_id'])
        stir()
      },
    ],
    [
      filterOf(fleet, 'event', { kind: 'device' }),
      ({ payload }) => {
        for (const { data } of readEvents(payload)) if (typeof data['device'] === 'string') toAskAbout.add(data['device'])
        single.want()
      },
    ],
    [filterOf(fleet, 'event', { kind: 'approval' }), () => approvalsNow.want()],
  ]

  const listen = (): void => {
    for (const [filter, take] of takes)
      bus
        .subscribe(filter, take)
        .catch((error: unknown) => log.warn({ err: error, filter }, 'the dashboard cannot listen to a topic'))
  }

  bus.onConnect(() => {
    if (!isAwake) return
    refreshAll()
    stir()
  })
  bus.onDisconnect(stir)

  const fallAsleep = (): void => {
    lingering = undefined
    isAwake = false
    ticking?.cancel()
    telling?.cancel()
    telling = undefined
    for (const one of refreshes) one.stop()
    for (const [filter] of takes) bus.unsubscribe(filter)
    devices.clear()
    told = undefined
    loaded = undefined
  }

  return {
    /** Somebody looks. Resolves when there is something to show: at once, or when the controller has answered, or could not. */
    wake: (): Promise<void> => {
      lingering?.cancel()
      lingering = undefined
      if (!isAwake) {
        isAwake = true
        listen()
        for (const one of refreshes) one.start()
        ticking = every(clock, 1000, () => {
          devices.age(clock.mono())
          stir()
        })
        loaded = (async () => {
          const until = clock.mono() + 5000
          while (isAwake && clock.mono() < until && [wholeList, statusNow, approvalsNow].some((one) => !one.hasAnswered()))
            await new Promise<void>((resolve) => clock.after(20, resolve))
        })()
      }
      return loaded ?? Promise.resolve()
    },
    /** Nobody looks any more. */
    sleep: (): void => {
      if (isAwake) lingering ??= clock.after(lingerMs, fallAsleep)
    },
    watchOverview: (watches: boolean): void => {
      if (watches && !watchesOverview) for (const one of [statusNow, throughputNow, recentNow]) one.want()
      watchesOverview = watches
    },
    onChange: (call: (change: PictureChange) => void): void => {
      onChange = call
    },
    devices,
    approvals: (): readonly Approval[] => approvals,
    overview: overviewNow,
    bar: (): Bar => bar(overviewNow()),
    close: (): void => {
      lingering?.cancel()
      if (isAwake) fallAsleep()
    },
  }
}
export type Picture = ReturnType<typeof createPicture>

const recentOf = (task: Task): RecentTask => ({
  task_id: task.task_id,
  what: whatOf(task),
  state: task.state,
  reason: task.reason,
  device: task.device,
  attempt: task.attempt,
  exit_code: task.exit_code,
  requested_by: task.requested_by,
  created_at: Date.parse(task.created_at),
  started_at: task.started_at === null ? null : Date.parse(task.started_at),
  ended_at: task.ended_at === null ? null : Date.parse(task.ended_at),
})

/** The fields that are not as they were; undefined if all are. */
const differing = (before: Overview, now: Overview): Partial<Overview> | undefined => {
  const keys = Object.keys(now) as (keyof Overview)[] // Object.keys forgets the keys' type
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
  return changed.length === 0 ? undefined : Object.fromEntries(changed.map((key) => [key, now[key]]))
}
