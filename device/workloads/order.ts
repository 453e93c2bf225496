import type { RunMode, WorkloadSpec } from '../../schemas/workload.ts'
import type { HealthState, WorkloadState } from '../../schemas/workload-status.ts'

type Dependent = Pick<WorkloadSpec, 'name' | 'depends_on'>

export interface StartOrder {
  /** All of them, each after what it depends on; to stop, from the end. */
  order: string[]
  /** Those that can never start as they are, by name: why. */
  stuck: Map<string, string>
}

/** Puts workloads into the order in which they start; those that do not depend on each other stay as they were given. */
export const startOrder = (specs: readonly Dependent[]): StartOrder => {
  const byName = new Map(specs.map((spec) => [spec.name, spec]))
  const order: string[] = []
  const stuck = new Map<string, string>()
  const placed = new Set<string>()

  // Without recursion: a chain may be as long as there are workloads.
  for (const spec of specs) {
    const path: { spec: Dependent; at: number }[] = []
    const enter = (one: Dependent): void => {
      placed.add(one.name)
      path.push({ spec: one, at: 0 })
    }
    if (!placed.has(spec.name)) enter(spec)
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const wanted = top.spec.depends_on[top.at]?.name
      top.at++
      if (wanted === undefined) {
        order.push(top.spec.name)
        path.pop()
        continue
      }
      const other = byName.get(wanted)
      if (!other) stuck.set(top.spec.name, notThere(wanted))
      else if (!placed.has(wanted)) enter(other)
      else nameCycle(path, wanted, stuck)
    }
  }
  return { order, stuck }
}

const nameCycle = (path: readonly { spec: Dependent }[], back: string, stuck: Map<string, string>): void => {
  const start = path.findIndex(({ spec }) => spec.name === back)
  if (start < 0) return
  const names = path.slice(start).map(({ spec }) => spec.name)
  names.forEach((name, i) => {
    const round = [...names.slice(i), ...names.slice(0, i), name]
    if (!stuck.has(name)) stuck.set(name, `waits for itself: ${round.join(' → ')}`)
  })
}

const notThere = (name: string): string => `waits for "${name}", which is not there`

/** What a workload that others depend on shows of itself. */
export interface DependencyStatus {
  run_mode: RunMode
  state: WorkloadState
  /** Null where there is no check. */
  health: HealthState | null
  /** The last run that ended has succeeded. */
  hasSucceeded: boolean
}

/**
 * Says what a workload waits for, or null when it may start. It is asked before a start only: what runs goes on when a
 * dependency fails later.
 *
 *   started     it runs, or has run and done its work
 *   healthy     it runs and its check says healthy, or it runs and has no check, or it has done its work: what had to be
 *               prepared once is ready, also after the next boot
 *   completed   it is completed; a workload with a schedule, which never is: its last run has succeeded
 */
export const blockedBy = (spec: Dependent, statusOf: (name: string) => DependencyStatus | undefined): string | null => {
  for (const { name, condition } of spec.depends_on) {
    const status = statusOf(name)
    if (!status) return notThere(name)
    if (!isMet[condition](status)) return `waits for "${name}" to ${verbs[condition]}: it is ${shown(status)}`
  }
  return null
}

const hasDoneItsWork = (status: DependencyStatus): boolean =>
  status.state === 'completed' || (status.run_mode === 'schedule' && status.hasSucceeded)

const isMet = {
  started: (status: DependencyStatus) => status.state === 'running' || hasDoneItsWork(status),
  healthy: (status: DependencyStatus) =>
    hasDoneItsWork(status) || (status.state === 'running' && (status.health === null || status.health === 'healthy')),
  completed: hasDoneItsWork,
}

const verbs = { started: 'start', healthy: 'be healthy', completed: 'complete' }

const shown = ({ state, health }: DependencyStatus): string =>
  state === 'running' && health !== null ? `running, health ${health}` : state.replace('_', ' ')
