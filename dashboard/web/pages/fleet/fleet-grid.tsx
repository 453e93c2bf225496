import type { FleetRow } from '../../../../schemas/dashboard.ts'
import { Labels } from '../../parts/labels.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { Time } from '../../parts/time.tsx'
import { VirtualList } from '../../parts/virtual-list.tsx'
import { Drained, Running, Workloads } from './device-facts.tsx'
import { Meter } from './meter.tsx'
import type { Past } from './use-sparklines.ts'

interface FleetGridProps {
  rows: readonly FleetRow[]
  past: ReadonlyMap<string, Past>
  onSight: (rows: readonly FleetRow[]) => void
}

/** Devices as cards, as many as there are. */
export const FleetGrid = ({ rows, past, onSight }: FleetGridProps) => (
  <div class="fleet-grid">
    <VirtualList
      role="list"
      label="Devices"
      items={rows}
      itemKey={(row) => row.n}
      rowHeight={218}
      minWidth={300}
      onSight={onSight}
      render={(row) => <DeviceCard row={row} past={past.get(row.device)} />}
    />
  </div>
)

const DeviceCard = ({ row, past }: { row: FleetRow; past: Past | undefined }) => (
  <div class="device-card card">
    <div class="device-card-head">
      <a href={`/fleet/${row.device}`} data-row class="stretched">
        <Plain text={row.device} cut />
      </a>
      <span class="device-card-states">
        <Drained row={row} />
        <State state={row.state} title={row.reason} />
      </span>
    </div>
    <Labels labels={row.labels} most={4} />
    <div class="device-card-meters">
      <Meter label="CPU" value={row.cpu} series={past?.cpu} />
      <Meter label="Memory" value={row.memory} series={past?.memory} />
      <Meter label="Disk" value={row.disk} series={past?.disk} />
    </div>
    <div class="device-card-foot">
      <span>
        Runs <Running row={row} />
      </span>
      <span>
        Workloads <Workloads row={row} />
      </span>
    </div>
    <div class="device-card-foot muted">
      <Time at={row.last_seen_at} none="never seen" />
      {row.version !== null && <Plain text={row.version} cut />}
    </div>
  </div>
)
