import { resolve } from 'node:path'
import { accepted, type FieldFault, type Outcome, refused } from '../../schemas/errors.ts'
import { nearest } from '../../schemas/faults.ts'
import type { WorkloadQuestion, WorkloadRequestInput } from '../../schemas/workload-requests.ts'
import type { ReloadDiff } from '../../schemas/workload-status.ts'
import type { ApplyPlan, FoundWorkload, Owner } from './apply-plan.ts'
import type { LiveWorkload } from './live-workload.ts'
import type { Shells } from './shell/sessions.ts'
import { statusOf } from './status.ts'
import { cwdAndWordsOf, type Surroundings } from './surroundings.ts'
import type { Workloads } from './workloads.ts'

/** Workloads as files say they are; or what is wrong with the files. */
export type ReadFiles = (
  paths: readonly string[],
  /** They were applied before: one that has been removed since is empty. */
  isReload: boolean,
) => { ok: true; found: FoundWorkload[]; roots: string[]; gone: string[] } | { ok: false; faults: FileFault[] }
export type FileFault = FieldFault & { file: string; line: number | null }

export interface RequestsDeps {
  workloads: Workloads
  read: ReadFiles
  /** Why this device takes nothing new now; undefined if it does. */
  refuses: () => string | undefined
  /** What of a workload this device cannot enforce. */
  lacks: (found: FoundWorkload) => string | undefined
  surroundings: Surroundings
  shells: Pick<Shells, 'ask'>
}

/** How long an answer waits for a workload to have started or stopped; after that it tells how far it is. */
const answerWithinMs = 8000
/** What an answer may take of a message. */
const mostHistoryBytes = 96 * 1024

/** The workload of that name; or that there is none. */
export const liveNamed = ({ live }: Pick<Workloads, 'live'>, name: string): Outcome<LiveWorkload> => {
  const one = live.get(name)
  if (one && !one.isRemoved) return accepted(one)
  const near = nearest(name, [...live.keys()])
  const message = `this device has no workload "${name}"${near ? `, did you mean "${near}"?` : ''}`
  return refused('not_found', message, [{ field: 'workload', code: 'not_found', message: 'names no workload of this device' }])
}

/** What people and the controller ask about the workloads of this device. A refusal is a value. */
export const createRequests = ({ workloads, read, refuses, lacks, surroundings, shells }: RequestsDeps) => {
  const withWorkload = async (name: string, use: (one: LiveWorkload) => Promise<Outcome<unknown>>): Promise<Outcome<unknown>> => {
    const one = liveNamed(workloads, name)
    return one.ok ? use(one.output) : one
  }
  const shown = (one: LiveWorkload): Outcome<unknown> => accepted(statusOf(one))

  const { inTurn } = workloads

  const apply = async (paths: readonly string[], isDry: boolean, isReload = false): Promise<Outcome<ReloadDiff>> => {
    const files = read(paths, isReload)
    if (!files.ok) return refusedFiles(files.faults)
    const owner: Owner = { kind: 'local', roots: files.roots, gone: files.gone }
    const planned = workloads.plan(files.found, owner)
    if (!planned.ok)
      return refusedFiles(
        planned.taken.map(({ name, file, by, isOfRelease }) => ({
          ...{ file, line: null, field: 'name', code: 'taken' },
          message: `"${name}" is the name of a workload of ${by}; ${isOfRelease ? 'a deployment removes that' : `delete that first: skein local delete ${name}`}`,
        })),
      )
    const { plan } = planned
    const cannot = [...plan.added, ...plan.changed].flatMap((found) => {
      const lack = lacks(found)
      return lack === undefined
        ? []
        : [{ file: found.file, line: null, field: found.spec.name, code: 'not_enforceable', message: lack }]
    })
    if (cannot.length > 0) return refusedFiles(cannot)
    const why = refuses()
    // What mends or removes something is taken all the same.
    if (why !== undefined && plan.added.length > 0) return refused('unavailable', `this device takes nothing new: ${why}`)
    const diff = diffOf(plan, (name) => workloads.live.get(name)?.row.is_wanted === 0)
    try {
      if (!isDry) await workloads.apply(plan, owner)
    } catch (error) {
      if (!isFullDisk(error)) throw error
      return refused('unavailable', 'this device takes nothing new: disk_full: its journal cannot be written')
    }
    return accepted(diff)
  }

  return {
    list: async (): Promise<Outcome<unknown>> => accepted({ workloads: workloads.statuses() }),
    get: ({ workload, history = 10 }: { workload: string; history?: number }): Promise<Outcome<unknown>> =>
      withWorkload(workload, async (one) => {
        const runs = workloads.history(workload, history)
        return accepted({ ...statusOf(one), spec: one.spec, file: one.row.file, runs })
      }),
    start: ({ workload }: WorkloadRequestInput<'start'>) =>
      withWorkload(workload, async (one) => {
        const lack = workloads.lacksPlugin(one)
        if (lack !== null) return refused('unavailable', lack)
        await workloads.start(one)
        return shown(one)
      }),
    stop: ({ workload }: WorkloadRequestInput<'stop'>) =>
      withWorkload(workload, async (one) => {
        await workloads.stop(one)
        await workloads.settled(one, answerWithinMs)
        return shown(one)
      }),
    restart: ({ workload }: WorkloadRequestInput<'restart'>) =>
      withWorkload(workload, async (one) => {
        await workloads.restart(one)
        await workloads.settled(one, answerWithinMs)
        return shown(one)
      }),
    apply: ({ paths, dry_run = false }: { paths: string[]; dry_run?: boolean }) =>
      inTurn(() =>
        apply(
          paths.map((path) => resolve(path)),
          dry_run,
        ),
      ),
    reload: (_: WorkloadRequestInput<'reload'>, isDry = false) => inTurn(() => apply(workloads.rows.sources(), isDry, true)),
    delete: ({ workload }: { workload: string }) =>
      withWorkload(workload, async (one) => {
        if (one.row.origin !== 'local')
          return refused('conflict', `"${workload}" belongs to release ${one.row.origin}; a deployment removes it`)
        await inTurn(() => workloads.remove(one))
        await workloads.settled(one, answerWithinMs)
        return accepted({ workload, removed: true, runs_on: one.run !== null })
      }),
    logs: ({ workload, follow_seconds, ...question }: WorkloadRequestInput<'logs'>) =>
      withWorkload(workload, async (one) => {
        if (follow_seconds !== undefined) workloads.logs.follow(workload, follow_seconds)
        return accepted({ workload, ...(await one.log.page(question)) })
      }),
    history: ({ workload, limit }: WorkloadRequestInput<'history'>) =>
      withWorkload(workload, async () =>
        accepted({ workload, runs: fittingIn(mostHistoryBytes, workloads.history(workload, limit)) }),
      ),
    shell: (question: WorkloadQuestion<'shell'>): Promise<Outcome<unknown>> => shells.ask(question),
    env: ({ workload }: { workload: string }) =>
      withWorkload(workload, async (one) => {
        try {
          return accepted(cwdAndWordsOf(one, surroundings))
        } catch (error) {
          return refused('unavailable', error instanceof Error ? error.message : String(error))
        }
      }),
  }
}
export type Requests = ReturnType<typeof createRequests>

/** What SQLite says of a disk without room: not always that it is full. */
export const isFullDisk = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(SQLITE_FULL|SQLITE_IOERR|ENOSPC|EDQUOT)/.test(String(error.code))

/** The first of them, as many as have room. */
const fittingIn = <T>(mostBytes: number, items: readonly T[]): T[] => {
  let bytes = 0
  const end = items.findIndex((item) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1
    return bytes > mostBytes
  })
  return end === -1 ? [...items] : items.slice(0, end)
}

const refusedFiles = (faults: FileFault[]): { ok: false; error: ReturnType<typeof refused>['error'] } => {
  const [first] = faults
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  const where = first ? `${first.file}${first.line === null ? '' : `:${first.line}`}: ${first.field}: ` : ''
  return refused('invalid', `Cannot apply: ${where}${first?.message ?? 'the files are not valid'}${more}`, faults)
}

const diffOf = (plan: ApplyPlan, isStopped: (name: string) => boolean): ReloadDiff => {
  const names = (found: readonly FoundWorkload[]): string[] => found.map(({ spec }) => spec.name)
  const changed = names(plan.changed)
  return {
    added: names(plan.added),
    removed: plan.removed,
    restarted: changed.filter((name) => !isStopped(name)),
    unchanged: plan.unchanged,
    // Taken in, with nothing to be started again: it was stopped by hand, or only its tags or version are others.
    updated: [...changed.filter(isStopped), ...names(plan.relabelled)],
  }
}
