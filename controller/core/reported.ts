import type { Reported, WorkloadStatus } from '../../schemas/workload-status.ts'

/** A workload of which something has changed that somebody may wait for; `removed` is one that is not reported any more. */
export interface WorkloadChange {
  name: string
  state: string
  reason: string | null
  health: string | null
  run_count: number
}

/** Whether a word of a device is newer than the one that is known: by journal and number, never by arrival. */
export const isNews = (known: Reported | null, journal: string | null, reported: Reported): boolean =>
  reported.journal === journal && (known === null || known.journal !== journal || reported.seq > known.seq)

/** Whether two words say the same, but for figures that change all the time. */
export const isSame = (a: Reported | null, b: Reported): boolean =>
  a !== null &&
  a.journal === b.journal &&
  a.revision === b.revision &&
  a.is_partial === b.is_partial &&
  JSON.stringify(a.releases) === JSON.stringify(b.releases) &&
  a.workloads.length === b.workloads.length &&
  a.workloads.every((one, i) => lasting(one) === lasting(b.workloads[i]))

const lasting = (workload: WorkloadStatus | undefined): string => JSON.stringify({ ...workload, memory_mb: null })

/** What has become of which workload between two words of a device. */
export const changesBetween = (before: Reported | null, after: Reported): WorkloadChange[] => {
  const known = new Map(before?.workloads.map((one) => [one.name, one]))
  const changed = after.workloads.filter((one) => {
    const was = known.get(one.name)
    return !was || was.state !== one.state || was.health !== one.health || was.run_count !== one.run_count
  })
  const there = new Set(after.workloads.map((one) => one.name))
  // Of a partial word it is not known whether they are gone.
  const gone = after.is_partial ? [] : [...known.values()].filter((one) => !there.has(one.name))
  return [
    ...changed.map(({ name, state, reason, health, run_count }) => ({ name, state, reason, health, run_count })),
    ...gone.map(({ name, run_count }) => ({ name, state: 'removed', reason: null, health: null, run_count })),
  ]
}
