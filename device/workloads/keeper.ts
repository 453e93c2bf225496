import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Chance } from '../../base/chance.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { devicePathsIn } from '../../base/paths.ts'
import type { Plugins } from '../../base/plugins/plugins.ts'
import type { WorkloadRequest } from '../../schemas/workload-requests.ts'
import type { WorkloadKeeper, WorkloadsPort } from '../core.ts'
import type { Journal } from '../journal.ts'
import type { LocalFollow } from '../local-socket.ts'
import { openSegments } from '../logs/segments.ts'
import { keepReleases } from '../releases/keep-releases.ts'
import type { Room } from '../room.ts'
import type { Runner } from '../runner.ts'
import type { WallClock } from '../wall-clock.ts'
import { createBells, followLog } from './logs/following.ts'
import { readFound } from './reading.ts'
import { createRequests, liveNamed, type ReadFiles, type RequestsDeps } from './requests.ts'
import { shellPlanOf } from './shell/plan.ts'
import { createShells } from './shell/sessions.ts'
import { openTerminal } from './shell/terminal.ts'
import { setupOf } from './start-order.ts'
import type { Surroundings } from './surroundings.ts'
import { createWorkloads } from './workloads.ts'

export interface KeeperDeps {
  name: string
  fleet: string
  paths: ReturnType<typeof devicePathsIn>
  journal: Journal
  runner: Runner
  room: Room
  wallClock: WallClock
  surroundings: Surroundings
  labels: () => Record<string, string>
  /** The daemon's own, for templates. */
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  plugins: Plugins
  port: WorkloadsPort
  /** Whether admins may open a shell here through the broker. */
  remoteShell: boolean
}

/** The workloads of a real device: with its disk, its clock and its doors. */
export const keepWorkloads = (deps: KeeperDeps) => {
  const { name, fleet, paths, runner, room, port } = deps
  const segments = openSegments(paths.logs)
  const bells = createBells()
  const workloads = createWorkloads({
    device: name,
    fleet,
    folder: paths.workloads,
    outputs: paths.outputs,
    db: deps.journal.db,
    commits: port.commits,
    runner,
    segments,
    clock: deps.clock,
    chance: deps.chance,
    log: deps.log,
    boot: deps.boot,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    trust: () => deps.wallClock.trust(port.controllerTime()),
    surroundings: deps.surroundings,
    plugins: deps.plugins,
    labels: deps.labels,
    logBudget: () => room.logBudget(workloads.logs.bytes()),
    publish: port.show,
    changed: port.changed,
    approval: port.approval,
    logged: bells.ring,
    moved: (one) => releases.moved(one),
    failed: (one) => releases.failed(one),
  })
  const read: ReadFiles = (given, isReload) =>
    readFound(given, isReload, { env: deps.env, device: { name, labels: deps.labels() }, plugins: deps.plugins.known })
  const lacks: RequestsDeps['lacks'] = ({ spec, file }) =>
    runner.lacks(setupOf(spec, { fleet, device: name, folder: paths.workloads, file, output: paths.outputs }))
  const releases = keepReleases({
    ...{ workloads, lacks, journal: deps.journal, room, clock: deps.clock, boot: deps.boot, log: deps.log, port },
    root: join(paths.folder, 'releases'),
    // One of files only has no such folder.
    read: (folder) => read(existsSync(folder) ? [folder] : [], false),
  })
  const shells = createShells({
    ...{ isOn: deps.remoteShell, clock: deps.clock, chance: deps.chance, log: deps.log },
    plan: async (workload, term) => {
      const one = liveNamed(workloads, workload)
      return one.ok ? shellPlanOf(one.output, deps.surroundings, term) : one
    },
    open: (order, watcher) => openTerminal(order, deps.clock, watcher),
  })
  const requests = createRequests({
    workloads,
    read,
    refuses: room.refusal,
    lacks,
    surroundings: deps.surroundings,
    shells,
  })
  const follow: LocalFollow = (question, signal) => followLog(workloads.live, bells, question, signal)
  return {
    workloads,
    requests,
    follow,
    releases,
    recover: () => {
      const known = workloads.recover()
      releases.recover()
      return known
    },
    statuses: workloads.statuses,
    perform: async (request, input) => requests[request as Exclude<WorkloadRequest, 'say'>](input as never), // read by the schema of the same name
    answer: workloads.answer,
    work: workloads.work,
    shutdown: async () => {
      releases.close()
      await Promise.all([shells.close(), workloads.shutdown()])
    },
    release: () => {
      releases.close()
      shells.kill()
      workloads.release()
    },
    close: () => segments.close(),
  } satisfies WorkloadKeeper & Record<string, unknown>
}
