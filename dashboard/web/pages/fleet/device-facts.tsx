import type { FleetRow } from '../../../../schemas/dashboard.ts'
import { Badge } from '../../parts/state.tsx'

/** Runs of tasks, of what it may have at the same time. */
export const Running = ({ row }: { row: FleetRow }) => (
  <span class="number">
    {row.running} <span class="muted">of {row.capacity}</span>
  </span>
)

/** Its workloads: how many run, and how many have failed. */
export const Workloads = ({ row: { workloads } }: { row: FleetRow }) =>
  workloads.total === 0 ? (
    <span class="muted">none</span>
  ) : (
    <span class="fleet-workloads number">
      <span>
        {workloads.running} <span class="muted">of {workloads.total}</span>
      </span>
      {workloads.failed > 0 && (
        <Badge tone="bad" icon="cross">
          {workloads.failed} failed
        </Badge>
      )}
    </span>
  )

/** A sign for one that gets no work. */
export const Drained = ({ row }: { row: FleetRow }) =>
  row.drained ? (
    <Badge tone="wait" icon="pause" title="It is given no more work">
      drained
    </Badge>
  ) : null
