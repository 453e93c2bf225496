import type { Bus } from '../../../base/bus.ts'
import { type Clock, every, type Timer } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { Approval } from '../../../schemas/approval-operations.ts'
import type { Bar, ChangedTask, FleetChange, Overview, TasksChange } from '../../../schemas/dashboard.ts'
import { type AskedDeps, createAsked } from './asked.ts'
import { attentionTo } from './attention.ts'
import { runningOf } from './deployments.ts'
import { createDevices } from './devices.ts'
import { createHeard } from './heard.ts'

export interface PictureDeps {
  fleet: string
  bus: Bus
  ask: AskedDeps['ask']
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
  deploymentIds: ReadonlySet<string>
  /** Deployments in which a device is further than it was. */
  progressIds: ReadonlySet<string>
  /** There are others, or some are gone. */
  releases: boolean
  /** For a while nobody listened: anything may be another than it was. */
  missed: boolean
}

/** Changes are told at most four times a second; the first one after a quiet while at once. */
const tellEveryMs = 250
const gatherMs = 15
const mostTasksTold = 200
/** Somebody who loads the page again is back within this time. */
const lingerMs = 30_000
/** So long a page waits for what it shows first. */
const patienceMs = 5000

/**
 * The fleet as it is now, for as long as somebody looks: what the topics tell, and what is asked of the controller. While nobody looks it
 * listens to nothing and asks for nothing.
 */
export const createPicture = ({ fleet, bus, ask, clock, log }: PictureDeps) => {
  const devices = createDevices()
  let isControllerOnline = true
  let hasMissed = false
  let changedTasks = new Map<string, ChangedTask>()
  let moreTasks = 0
  let changedTaskIds = new Set<string>()
  let changedDeploymentIds = new Set<string>()
  let progressIds = new Set<string>()
  let haveReleasesChanged = false

  let isAwake = false
  let lingering: Timer | undefined
  let ticking: Timer | undefined
  let telling: Timer | undefined
  let toldAtMono = 0
  let told: { overview: Overview; bar: string } | undefined
  let loaded: Promise<void> | undefined
  let onChange: (change: PictureChange) => void = () => undefined

  /** Something may be different: it is told soon. */
  const stir = (): void => {
    if (isAwake) telling ??= clock.after(Math.max(gatherMs, toldAtMono + tellEveryMs - clock.mono()), tell)
  }

  /** What was told meanwhile has not been heard: all of it is asked for, and looked at again. */
  const mayHaveMissed = (): void => {
    hasMissed = true
    asked.wantAll()
  }

  const asked = createAsked({ ask, devices, clock, log, stir })
  const heard = createHeard({
    ...{ fleet, bus, devices, clock, log, stir },
    task: (data) => {
      const { task_id: id, state } = data
      if (typeof id !== 'string') return
      changedTaskIds.add(id)
      if (changedTasks.size < mostTasksTold || changedTasks.has(id))
        changedTasks.set(id, data as unknown as ChangedTask) // as the controller's task events are
      else moreTasks += 1
      asked.wantTasks(state === 'lost')
      stir()
    },
    run: ({ task_id: id }) => {
      if (typeof id === 'string') changedTaskIds.add(id)
      stir()
    },
    device: asked.wantDevice,
    approval: asked.wantApprovals,
    deployment: (id, state) => {
      changedDeploymentIds.add(id)
      asked.wantDeployments(state)
      stir()
    },
    progress: (id) => void progressIds.add(id),
    release: () => {
      haveReleasesChanged = true
      stir()
    },
    controller: (isOnline) => {
      const isBack = isOnline && !isControllerOnline
      isControllerOnline = isOnline
      if (isBack) mayHaveMissed()
      stir()
    },
  })

  const hasController = (): boolean => isControllerOnline && asked.isReached()

  const overview = (): Overview => {
    const { tasks, queue, damage, throughput, recent, lost, approvals, deployments, ended } = asked.facts()
    const { shown, count } = attentionTo({
      devices: devices.each(),
      ...{ approvals, lost, queue, damage },
      deployments: [...deployments, ...ended],
      controller: hasController(),
      now: clock.now(),
      mono: clock.mono(),
    })
    return {
      ...{ devices: devices.counts(), tasks, queue, throughput, recent, deployments: deployments.map(runningOf) },
      ...{ attention: shown, attention_count: count },
    }
  }

  const bar = (shown: Overview): Bar => ({
    broker: bus.isConnected(),
    controller: hasController(),
    online: shown.devices.online,
    devices: shown.devices.online + shown.devices.stale + shown.devices.offline,
    approvals: asked.facts().approvals.length,
    attention: shown.attention_count,
  })

  const tell = (): void => {
    telling = undefined
    if (!isAwake) return
    toldAtMono = clock.mono()
    const now = overview()
    const nowBar = bar(now)
    const barText = JSON.stringify(nowBar)
    const { fleet: fleetChange, devices: names } = devices.take(clock.now(), clock.mono())
    const change: PictureChange = {
      bar: told?.bar === barText ? undefined : nowBar,
      overview: told ? differing(told.overview, now) : now,
      fleet: fleetChange,
      devices: names,
      tasks: changedTasks.size > 0 ? { tasks: [...changedTasks.values()], more: moreTasks } : undefined,
      taskIds: changedTaskIds,
      approvals: asked.takeApprovalsChanged(),
      deploymentIds: changedDeploymentIds,
      progressIds,
      releases: haveReleasesChanged,
      missed: hasMissed,
    }
    hasMissed = false
    haveReleasesChanged = false
    told = { overview: now, bar: barText }
    changedTasks = new Map()
    changedTaskIds = new Set()
    changedDeploymentIds = new Set()
    progressIds = new Set()
    moreTasks = 0
    onChange(change)
  }

  bus.onConnect(() => {
    if (isAwake) mayHaveMissed()
    stir()
  })
  bus.onDisconnect(stir)

  const wakeUp = (): void => {
    isAwake = true
    heard.listen()
    asked.start()
    ticking = every(clock, 1000, () => {
      devices.age(clock.mono())
      stir()
    })
    loaded = until(asked.hasAnswered)
  }

  const fallAsleep = (): void => {
    lingering = undefined
    isAwake = false
    ticking?.cancel()
    telling?.cancel()
    telling = undefined
    asked.stop()
    heard.stop()
    devices.clear()
    told = undefined
    loaded = undefined
  }

  const until = async (holds: () => boolean): Promise<void> => {
    const late = clock.mono() + patienceMs
    while (isAwake && !holds() && clock.mono() < late) await new Promise<void>((resolve) => clock.after(10, resolve))
  }

  return {
    /** Somebody looks. Resolves when there is something to show: at once, or when the controller has answered, or could not. */
    wake: (): Promise<void> => {
      lingering?.cancel()
      lingering = undefined
      if (!isAwake) wakeUp()
      return loaded ?? Promise.resolve()
    },
    /** Nobody looks any more. */
    sleep: (): void => {
      if (isAwake) lingering ??= clock.after(lingerMs, fallAsleep)
    },
    /** Whether anybody looks at the overview. Resolves when there is something to show of it. */
    watchOverview: (watches: boolean): Promise<void> => {
      asked.watchOverview(watches)
      return watches ? until(asked.hasAnsweredOverview) : Promise.resolve()
    },
    onChange: (call: (change: PictureChange) => void): void => {
      onChange = call
    },
    devices,
    approvals: (): readonly Approval[] => asked.facts().approvals,
    overview,
    bar: (): Bar => bar(overview()),
    close: (): void => {
      lingering?.cancel()
      if (isAwake) fallAsleep()
    },
  }
}
export type Picture = ReturnType<typeof createPicture>

/** The fields that are not as they were; undefined if all are. */
const differing = (before: Overview, now: Overview): Partial<Overview> | undefined => {
  const keys = Object.keys(now) as (keyof Overview)[] // Object.keys forgets the keys' type
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(now[key]))
  return changed.length === 0 ? undefined : Object.fromEntries(changed.map((key) => [key, now[key]]))
}
