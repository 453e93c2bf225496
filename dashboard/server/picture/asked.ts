import type { Clock } from '../../../base/clock.ts'
import type { Log } from '../../../base/log.ts'
import type { Approval } from '../../../schemas/approval-operations.ts'
import type { Overview, RecentTask } from '../../../schemas/dashboard.ts'
import type { Deployment } from '../../../schemas/deployment.ts'
import type { Device } from '../../../schemas/device.ts'
import type { Outcome } from '../../../schemas/errors.ts'
import { instant } from '../../../schemas/ids.ts'
import type { InputOf, OperationName, OutputOf } from '../../../schemas/operations.ts'
import type { Task } from '../../../schemas/task.ts'
import { whatOf } from '../../web/format/what.ts'
import type { Devices } from './devices.ts'
import { createRefresh } from './refresh.ts'

export interface AskedDeps {
  /** Asks the controller with the dashboard's own token. */
  ask: <N extends OperationName>(name: N, input: Partial<InputOf<N>>) => Promise<Outcome<OutputOf<N>>>
  devices: Devices
  clock: Clock
  log: Log
  /** Called when an answer may have changed something. */
  stir: () => void
}

export interface LostTask {
  task_id: string
  device: string | null
  reason: string | null
  at: number
}

const mostRecent = 10
const mostSingly = 20
/** What went wrong longer ago is no news. */
const newsMs = 24 * 3600_000
const mostDeployments = 20
const mostEnded = 10
const noThroughput: Overview['throughput'] = {
  ...{ from: instant(0), step_seconds: 60 },
  ...{ submitted: [], succeeded: [], failed: [], cancelled: [] },
}

/** What no topic tells, and is asked of the controller: again when something may have changed it, and now and then in any case. */
export const createAsked = ({ ask, devices, clock, log, stir }: AskedDeps) => {
  let status: OutputOf<'system.status'> | undefined
  let throughput = noThroughput
  let recent: readonly RecentTask[] = []
  let lost: readonly LostTask[] = []
  let approvals: readonly Approval[] = []
  let haveApprovalsChanged = false
  let deployments: readonly Deployment[] = []
  let ended: readonly Deployment[] = []
  let isReached = true
  let watchesOverview = false
  const changedDevices = new Set<string>()

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

  const allDevices = createRefresh(clock, { gapMs: 2000, everyMs: 60_000 }, async () => {
    const found: Device[] = []
    const askedMono = clock.mono()
    // What changes from here on may be told by the pages, or not: it is asked for by itself afterwards.
    changedDevices.clear()
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const isFine = await asked('device.list', { limit: 1000, ...(cursor ? { cursor } : {}) }, (page) => {
        found.push(...page.devices)
        cursor = page.cursor
      })
      if (!isFine) return allDevices.want()
    }
    devices.list(found, clock.now(), clock.mono(), askedMono)
    stir()
  })
  const someDevices = createRefresh(clock, { gapMs: 100, everyMs: 3_600_000 }, async () => {
    const names = [...changedDevices]
    changedDevices.clear()
    if (names.length > mostSingly) return allDevices.want()
    for (const device of names) {
      const askedMono = clock.mono()
      const outcome = await ask('device.get', { device })
      if (outcome.ok) devices.put(outcome.output, clock.now(), clock.mono(), askedMono)
      else if (outcome.error.code === 'not_found') devices.remove(device)
      else allDevices.want()
    }
    stir()
  })
  const statusNow = createRefresh(clock, { gapMs: 1000, everyMs: 5000 }, async () => {
    isReached = await asked('system.status', {}, (now) => {
      status = now
    })
  })
  const throughputNow = createRefresh(clock, { gapMs: 5000, everyMs: 15_000 }, async () => {
    if (watchesOverview)
      await asked('task.throughput', {}, (now) => {
        throughput = now
      })
  })
  const recentNow = createRefresh(clock, { gapMs: 1000, everyMs: 30_000 }, async () => {
    if (watchesOverview)
      await asked('task.list', { limit: mostRecent }, (now) => {
        recent = now.tasks.map(recentOf)
      })
  })
  const lostNow = createRefresh(clock, { gapMs: 2000, everyMs: 60_000 }, async () => {
    const since = instant(clock.now() - newsMs)
    await asked('task.list', { limit: mostRecent, state: ['lost'], since }, (now) => {
      lost = now.tasks.map(({ task_id, device, reason, ended_at, created_at }) => ({
        ...{ task_id, device, reason },
        at: Date.parse(ended_at ?? created_at),
      }))
    })
  })
  const approvalsNow = createRefresh(clock, { gapMs: 200, everyMs: 30_000 }, async () => {
    await asked('approval.list', { limit: 200, state: ['pending'] }, (now) => {
      const pending = now.approvals.filter(({ answer }) => answer === null).reverse()
      haveApprovalsChanged ||= JSON.stringify(pending) !== JSON.stringify(approvals)
      approvals = pending
    })
  })
  const deploymentsNow = createRefresh(clock, { gapMs: 1000, everyMs: 30_000 }, async () => {
    await asked(
      'deployment.list',
      { limit: mostDeployments, state: ['pending', 'in_progress', 'paused', 'rolling_back'] },
      (now) => {
        deployments = now.deployments
      },
    )
  })
  const endedNow = createRefresh(clock, { gapMs: 2000, everyMs: 60_000 }, async () => {
    await asked('deployment.list', { limit: mostEnded, state: ['failed', 'rolled_back'] }, (now) => {
      const since = clock.now() - newsMs
      ended = now.deployments.filter(({ ended_at, created_at }) => Date.parse(ended_at ?? created_at) > since)
    })
  })
  const forOverview = [statusNow, throughputNow, recentNow, deploymentsNow]
  const all = [allDevices, someDevices, lostNow, approvalsNow, endedNow, ...forOverview]

  return {
    start: (): void => {
      for (const one of all) one.start()
    },
    stop: (): void => {
      for (const one of all) one.stop()
    },
    /** Everything may have changed: the controller is another one, or nobody listened for a while. */
    wantAll: (): void => {
      for (const one of all) one.want()
    },
    /** Something became of a task. */
    wantTasks: (isLost: boolean): void => {
      if (isLost) lostNow.want()
      if (watchesOverview) for (const one of forOverview) one.want()
    },
    wantDevice: (name: string): void => {
      changedDevices.add(name)
      someDevices.want()
    },
    wantApprovals: approvalsNow.want,
    /** Something became of a deployment, or with no state of a device in one: of interest to those who see it go on. */
    wantDeployments: (state: string | undefined): void => {
      if (state !== undefined || watchesOverview) deploymentsNow.want()
      if (state === 'failed' || state === 'rolled_back') endedNow.want()
    },
    watchOverview: (watches: boolean): void => {
      const begins = watches && !watchesOverview
      watchesOverview = watches
      if (begins) for (const one of forOverview) one.askAnew()
    },
    /** Whether all that everybody is shown, or all of the overview, has been answered once, of whatever kind the answer was. */
    hasAnswered: (): boolean => [allDevices, statusNow, approvalsNow].every((one) => one.hasAnswered()),
    hasAnsweredOverview: (): boolean => forOverview.every((one) => one.hasAnswered()),
    isReached: (): boolean => isReached,
    facts: () => ({
      tasks: status?.tasks ?? {},
      queue: { depth: status?.queue.depth ?? 0, oldest_seconds: wholeOf(status?.queue.oldest_seconds) },
      damage: status?.damage ?? [],
      ...{ throughput, recent, lost, approvals, deployments, ended },
    }),
    takeApprovalsChanged: (): boolean => {
      const changed = haveApprovalsChanged
      haveApprovalsChanged = false
      return changed
    },
  }
}
export type Asked = ReturnType<typeof createAsked>

const wholeOf = (seconds: number | null | undefined): number | null =>
  seconds === null || seconds === undefined ? null : Math.round(seconds)

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
  started_at: timeOf(task.started_at),
  ended_at: timeOf(task.ended_at),
})

const timeOf = (at: string | null): number | null => (at === null ? null : Date.parse(at))
