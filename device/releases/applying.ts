import type { DesiredRelease } from '../../schemas/desired.ts'
import { Env } from '../../schemas/process.ts'
import { type ApplyPlan, type FoundWorkload, type Owner, releaseNameOf } from '../workloads/apply-plan.ts'
import type { LiveWorkload } from '../workloads/live-workload.ts'
import type { ReadFiles } from '../workloads/requests.ts'
import type { Workloads } from '../workloads/workloads.ts'

export interface ApplyingDeps {
  workloads: Pick<Workloads, 'live' | 'plan' | 'apply' | 'inTurn'>
  /** Reads the workloads of an unpacked release. */
  read: (folder: string) => ReturnType<ReadFiles>
  /** What of a workload this device cannot enforce. */
  lacks: (found: FoundWorkload) => string | undefined
}

export interface ApplyOrder {
  release: DesiredRelease
  folder: string
  /** Whatever runs in a folder of that name runs in another one. */
  isNew: boolean
  signal: AbortSignal
  /** Written in the same commit; if it throws, nothing has changed. */
  also: () => void
}

export type Applied = { ok: true } | { ok: false; reason: string }

/** Makes the workloads of releases this device's workloads: those of a new version come in the same commit in which those of the old one go. */
export const createApplying = ({ workloads, read, lacks }: ApplyingDeps) => {
  const planned = (
    { release, folder, isNew }: ApplyOrder,
    owner: Owner,
  ): { ok: true; plan: ApplyPlan } | { ok: false; reason: string } => {
    const env = Env.safeParse(release.env ?? {})
    if (!env.success) return { ok: false, reason: `env: ${env.error.issues[0]?.message ?? 'it is not valid'}` }
    const files = read(folder)
    if (!files.ok) {
      const [first] = files.faults
      return { ok: false, reason: first ? `${placeOf(first, folder)}: ${first.message}` : 'its workloads cannot be read' }
    }
    const own = { ...env.data, SKEIN_RELEASE: refOf(release), SKEIN_RELEASE_DIR: folder }
    const found = files.found.map(({ spec, file }) => ({ spec: { ...spec, env: { ...spec.env, ...own } }, file }))
    const answer = workloads.plan(found, owner)
    if (!answer.ok) {
      const names = answer.taken.map(({ name, by }) => `"${name}" is the name of a workload of ${by}`)
      return { ok: false, reason: names.join('; ') }
    }
    for (const one of found) {
      const lack = lacks(one)
      if (lack !== undefined) return { ok: false, reason: `"${one.spec.name}" cannot be run here: ${lack}` }
    }
    return { ok: true, plan: isNew ? begunAnew(answer.plan, found) : answer.plan }
  }

  return {
    /** The workloads that are a release's. */
    of: (name: string): LiveWorkload[] =>
      [...workloads.live.values()].filter((one) => !one.isRemoved && releaseNameOf(one.row.origin) === name),
    /** Whether anything of a release is still there, if only until its run has ended. */
    hasAny: (name: string): boolean => [...workloads.live.values()].some((one) => releaseNameOf(one.row.origin) === name),
    apply: (order: ApplyOrder): Promise<Applied> =>
      workloads.inTurn(async () => {
        if (order.signal.aborted) return { ok: false, reason: 'it is not wanted any more' }
        const owner: Owner = { kind: 'release', release: refOf(order.release) }
        const plan = planned(order, owner)
        if (!plan.ok) return plan
        await workloads.apply(plan.plan, owner, order.also)
        return { ok: true }
      }),
    /** Makes that nothing of a release is there. */
    clear: (name: string, also: () => void): Promise<void> =>
      workloads.inTurn(async () => {
        const owner: Owner = { kind: 'release', release: name }
        const plan = workloads.plan([], owner)
        if (plan.ok) await workloads.apply(plan.plan, owner, also)
      }),
  }
}
export type Applying = ReturnType<typeof createApplying>

export const refOf = ({ name, version }: Pick<DesiredRelease, 'name' | 'version'>): string => `${name}@${version}`

const begunAnew = (plan: ApplyPlan, found: readonly FoundWorkload[]): ApplyPlan => ({
  ...plan,
  changed: [...plan.changed, ...plan.relabelled, ...found.filter(({ spec }) => plan.unchanged.includes(spec.name))],
  relabelled: [],
  unchanged: [],
})

/** Within the release, as its author knows it. */
const placeOf = ({ file, line, field }: { file: string; line: number | null; field: string }, folder: string): string =>
  `${file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file}${line === null ? '' : `:${line}`}: ${field}`
