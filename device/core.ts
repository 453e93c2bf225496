import type { Bus } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import { isDamage } from '../base/damage.ts'
import { touch } from '../base/database.ts'
import { type GroupCommit, startGroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { createRecovery } from '../base/recovery.ts'
import type { ApprovalChange } from '../schemas/agent-events.ts'
import { refused } from '../schemas/errors.ts'
import type { Hello } from '../schemas/exchange.ts'
import type { ProcessPayload } from '../schemas/process.ts'
import type { WorkloadQuestion } from '../schemas/workload-requests.ts'
import type { WorkloadStatus } from '../schemas/workload-status.ts'
import type { Perform } from './answering.ts'
import type { DeviceIdentity } from './identity.ts'
import type { Journal } from './journal.ts'
import { createLink } from './link.ts'
import type { Chunk } from './logs/encoder.ts'
import type { Segments } from './logs/segments.ts'
import { createShelf } from './logs/shelf.ts'
import type { BlobLine } from './releases/pulling.ts'
import type { ReleaseKeeper } from './releases/wire.ts'
import type { ApprovalAnswer, Runner } from './runner.ts'
import { createSupervisor, type Work } from './supervisor.ts'
import type { Pins } from './trust.ts'

export interface DeviceCoreDeps {
  name: string
  fleet: string
  bus: Bus
  journal: Journal
  runner: Runner
  segments: Segments
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  pinned: () => Pins
  identity?: DeviceIdentity | undefined
  renewed?: (sealed: string) => void
  /** The token in use, for the hello. */
  token?: () => Hello['token']
  version: string
  labels: () => Record<string, string>
  capacity: number
  /** What it can enforce. */
  capabilities?: () => readonly string[]
  metrics: () => Record<string, unknown>
  spoolBudget: () => number
  /** Why nothing new is taken; undefined if it is. */
  refuses?: () => string | undefined
  /** Makes what keeps its workloads; a device without this has none. */
  workloads?: (port: WorkloadsPort) => WorkloadKeeper
  /** The journal is broken, and cannot be gone on with. */
  damaged?: (error: unknown) => void
}

/** What keeps the workloads of a device gets from it. */
export interface WorkloadsPort {
  commits: GroupCommit
  /** What the controller's clock shows; null while it has not said so. */
  controllerTime: () => number | null
  /** The same as well as can be known: without it, what this machine's clock shows. */
  controllerNow: () => number
  /** Whether the controller hears this device. */
  isReached: () => boolean
  /** The way that bundles come. */
  blobs: BlobLine
  /** Sends a part of a log to whoever follows it; false while the connection does not keep up. */
  show: (workload: string, chunk: Chunk) => boolean
  /** What `statuses` gives is different now. */
  changed: () => void
  /** The same for what somebody waits for. */
  tellNow: () => void
  /** An agent waits for somebody's permission, or that has been answered: the controller is told until it knows. */
  approval: (run: string, change: ApprovalChange) => void
}

/** What a device needs of what keeps its workloads. */
export interface WorkloadKeeper {
  /** Takes up what an earlier daemon left; the runs that are its own. */
  recover(): ReadonlySet<string>
  /** What is reported; null for nothing at all. */
  statuses(): WorkloadStatus[] | null
  releases?: ReleaseKeeper
  perform: Perform
  answer(answer: ApprovalAnswer & { run: string }): void
  /** What a task starts that names a workload; undefined if there is none of that name. */
  work(payload: ProcessPayload): Work | { refused: string } | undefined
  shutdown(): Promise<void>
  release(): void
}

/** A device over its journal, its runner and its bus: what a daemon is, and what a simulation runs by the dozen. */
export const createDeviceCore = (deps: DeviceCoreDeps) => {
  const { journal, clock, log, boot } = deps
  const recovery = createRecovery({
    clock,
    probe: () => commits.run(() => undefined),
    recovered: () => {
      log.warn('the journal can be written again')
      link.startOver()
    },
  })
  const commits = startGroupCommit(journal.db, clock, {
    before: () => {
      if (recovery.isFailing()) touch(journal.db)
    },
    committed: recovery.succeeded,
    failed: (error) => {
      if (isDamage(error)) return deps.damaged?.(error)
      log.error({ err: error }, 'cannot write the journal')
      recovery.failed()
      journal.forgetUncommitted()
      shelf.forgetUncommitted()
    },
  })
  const shelf = createShelf({
    segments: deps.segments,
    journal,
    clock,
    now: () => link.controllerNow(),
    budget: deps.spoolBudget,
    changed: (run) => supervisor.logChanged(run),
    report: (error) => log.error({ err: error }, 'cannot write the spool; programs that write wait'),
  })
  const supervisor = createSupervisor({
    device: deps.name,
    fleet: deps.fleet,
    journal,
    commits,
    runner: deps.runner,
    clock,
    log,
    boot,
    controllerNow: () => link.controllerNow(),
    wake: () => link.wake(),
    isFlowing: () => link.isFlowing(),
    shelf,
    work: (order) =>
      order.payload.workload === undefined && order.payload.within === undefined
        ? { payload: order.payload, env: {} }
        : workloads?.work(order.payload),
  })
  const workloads = deps.workloads?.({
    commits,
    controllerTime: () => link.controllerTime(),
    controllerNow: () => link.controllerNow(),
    isReached: () => link.isReached(),
    blobs: { isOpen: () => link.blobs.isOpen(), ask: (fetch) => link.blobs.ask(fetch) },
    show: (workload, chunk) => link.show(workload, chunk),
    changed: () => link.reportedChanged(),
    tellNow: () => link.tellReported(),
    approval: supervisor.tellApprovalOf,
  })
  const link = createLink({
    fleet: deps.fleet,
    device: deps.name,
    bus: deps.bus,
    journal,
    shelf,
    commits,
    clock,
    chance: deps.chance,
    log,
    boot,
    pinned: deps.pinned,
    identity: deps.identity,
    ...(deps.renewed ? { renewed: deps.renewed } : {}),
    ...(deps.token ? { token: deps.token } : {}),
    version: deps.version,
    labels: deps.labels,
    capacity: deps.capacity,
    capabilities: deps.capabilities ?? (() => []),
    metrics: deps.metrics,
    refuses: deps.refuses ?? (() => undefined),
    running: supervisor.running,
    wantsAnswer: supervisor.wantsAnswer,
    orders: supervisor.orders,
    cancels: supervisor.cancels,
    answers: (answers) => {
      supervisor.answers(answers)
      for (const one of answers) workloads?.answer(one)
    },
    unwanted: supervisor.unwanted,
    acknowledged: supervisor.acknowledged,
    perform: async (request, input) => {
      // What is said to an agent is for its run, whatever that is of.
      if (request === 'say') {
        const { run, text, by } = input as WorkloadQuestion<'say'> // read by the schema of that name
        return supervisor.tell(run, text, by)
      }
      return workloads?.perform(request, input) ?? refused('not_supported', `device "${deps.name}" keeps no workloads`)
    },
    reported: () => {
      const statuses = workloads?.statuses()
      if (!statuses) return null
      const releases = workloads?.releases?.reported()
      const revision = workloads?.releases?.seen()?.revision ?? 0
      return { seq: journal.nextReported(), revision, workloads: statuses, ...(releases ? { releases } : {}) }
    },
    releases: workloads?.releases,
  })

  /** How much of its streams the controller has not acknowledged. */
  const unacknowledged = () => {
    const { last, acked } = journal.stream('runs')
    return { streams: shelf.unsent().length + (acked < last ? 1 : 0), log_bytes: shelf.unacknowledgedBytes() }
  }

  return {
    unacknowledged,
    start: async (): Promise<void> => {
      supervisor.recover(workloads?.recover() ?? new Set())
      await link.start()
    },
    supervisor,
    link,
    flush: commits.flush,
    /** Everything this device runs ends, and is journalled. */
    shutdown: async (): Promise<void> => {
      link.leave()
      await Promise.all([supervisor.shutdown(), workloads?.shutdown()])
      commits.flush()
    },
    /** Says that the device leaves. */
    farewell: (): void => {
      recovery.close()
      link.close('shutdown')
      supervisor.release()
      workloads?.release()
      shelf.release()
    },
    /** The daemon goes without a word and without touching what runs. */
    abandon: (): void => {
      recovery.close()
      link.abandon()
      supervisor.release()
      workloads?.release()
      shelf.release()
    },
  }
}
export type DeviceCore = ReturnType<typeof createDeviceCore>
