import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { WorkloadRow } from './workload-rows.ts'

/** A workload as it was read from a file. */
export interface FoundWorkload {
  spec: WorkloadSpec
  file: string
}

/** What becomes of each workload, by name. */
export interface ApplyPlan {
  added: FoundWorkload[]
  /** What runs has changed. */
  changed: FoundWorkload[]
  /** Only what people see of it has changed, or where it was read: nothing is started again. */
  relabelled: FoundWorkload[]
  unchanged: string[]
  removed: string[]
}

export type Planned = { ok: true; plan: ApplyPlan } | { ok: false; taken: Taken[] }

/** A name that belongs to somebody else. */
export interface Taken {
  name: string
  file: string
  by: string
  isOfRelease: boolean
}

/** Who says that workloads are to be there. */
export type Owner =
  /** Files and folders of this machine. */
  | { kind: 'local'; roots: readonly string[]; gone?: readonly string[] }
  /** A release, as `name@version`: what an earlier version of it has brought is its own. */
  | { kind: 'release'; release: string }

/**
 * Decides what applying `found` changes. What came from the same owner before, and is not there any more, goes; what came from elsewhere
 * is left alone, and a name that it has is refused. What of a release has been stopped by hand, or is not started any more, begins anew.
 */
export const planApply = (
  rows: readonly WorkloadRow[],
  found: readonly FoundWorkload[],
  owner: Owner,
  isThere: (file: string) => boolean,
): Planned => {
  const isOurs = (row: WorkloadRow): boolean => isOwnedBy(row, owner)
  const byName = new Map(rows.map((row) => [row.name, row]))
  const taken = found.flatMap(({ spec, file }): Taken[] => {
    const row = byName.get(spec.name)
    if (!row || isOurs(row)) return []
    const isLocal = row.origin === 'local'
    // One whose file is gone was moved here.
    if (owner.kind === 'local' && isLocal && row.file !== null && !isThere(row.file)) return []
    return [{ name: spec.name, file, by: isLocal ? (row.file ?? 'local') : `release ${row.origin}`, isOfRelease: !isLocal }]
  })
  if (taken.length > 0) return { ok: false, taken }
  const plan: ApplyPlan = { added: [], changed: [], relabelled: [], unchanged: [], removed: [] }
  for (const one of found) {
    const row = byName.get(one.spec.name)
    if (!row) plan.added.push(one)
    else if (row.digest !== digestOf(one) || (owner.kind === 'release' && isAtRest(row))) plan.changed.push(one)
    else if (row.spec !== JSON.stringify(one.spec) || row.file !== one.file) plan.relabelled.push(one)
    else plan.unchanged.push(row.name)
  }
  const names = new Set(found.map(({ spec }) => spec.name))
  plan.removed = rows.filter((row) => isOurs(row) && !names.has(row.name)).map((row) => row.name)
  return { ok: true, plan }
}

const isOwnedBy = (row: WorkloadRow, owner: Owner): boolean =>
  owner.kind === 'local'
    ? row.origin === 'local' && row.file !== null && isBelow(row.file, owner.roots)
    : releaseNameOf(row.origin) === releaseNameOf(owner.release)

const isAtRest = (row: WorkloadRow): boolean => row.is_wanted === 0 || row.state === 'failed' || row.state === 'crash_loop'

/** The name of the release that an origin says; undefined for what is local. */
export const releaseNameOf = (origin: string): string | undefined => (origin === 'local' ? undefined : origin.split('@')[0])

/** Names what a workload runs: tags and version are for people. Relative paths begin at the folder of its file. */
export const digestOf = ({ spec: { tags: _tags, version: _version, ...rest }, file }: FoundWorkload): string =>
  createHash('sha256')
    .update(JSON.stringify([rest, dirname(file)]))
    .digest('hex')

/** Whether a file is one of these, or lies below one of these. */
export const isBelow = (file: string, roots: readonly string[]): boolean =>
  roots.some((root) => file === root || file.startsWith(root.endsWith('/') ? root : `${root}/`))
