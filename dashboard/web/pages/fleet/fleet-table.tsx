import type { FleetRow } from '../../../../schemas/dashboard.ts'
import { Icon } from '../../parts/icon.tsx'
import { Labels } from '../../parts/labels.tsx'
import { Plain } from '../../parts/plain.tsx'
import { roles } from '../../parts/roles.ts'
import { State } from '../../parts/state.tsx'
import { Time } from '../../parts/time.tsx'
import { VirtualList } from '../../parts/virtual-list.tsx'
import type { Direction, Sort } from './choose.ts'
import { Drained, Running, Workloads } from './device-facts.tsx'
import { Meter } from './meter.tsx'
import type { Past } from './use-sparklines.ts'

interface FleetTableProps {
  rows: readonly FleetRow[]
  past: ReadonlyMap<string, Past>
  onSight: (rows: readonly FleetRow[]) => void
  sort: Sort
  direction: Direction
  onSort: (sort: Sort) => void
}

const columns: readonly { title: string; sort?: Sort }[] = [
  { title: 'Device', sort: 'name' },
  { title: 'State', sort: 'state' },
  { title: 'CPU', sort: 'cpu' },
  { title: 'Memory', sort: 'memory' },
  { title: 'Disk', sort: 'disk' },
  { title: 'Runs', sort: 'running' },
  { title: 'Workloads' },
  { title: 'Version' },
]

/** Devices in rows, as many as there are. */
export const FleetTable = ({ rows, past, onSight, sort, direction, onSort }: FleetTableProps) => (
  <div class="fleet-table card card-flush" {...roles.table('Devices', rows.length)}>
    <div class="fleet-head" {...roles.rowgroup}>
      <div class="fleet-row" {...roles.row(1)}>
        {columns.map((column) => (
          <span
            key={column.title}
            {...roles.columnheader(column.sort !== sort ? undefined : direction === 'up' ? 'ascending' : 'descending')}
          >
            {column.sort ? (
              <SortButton {...{ title: column.title, sort: column.sort, direction, onSort }} chosen={sort} />
            ) : (
              column.title
            )}
          </span>
        ))}
      </div>
    </div>
    <VirtualList
      role="rowgroup"
      items={rows}
      itemKey={(row) => row.n}
      rowHeight={62}
      onSight={onSight}
      render={(row) => <Row row={row} past={past.get(row.device)} />}
    />
  </div>
)

interface SortButtonProps {
  title: string
  sort: Sort
  chosen: Sort
  direction: Direction
  onSort: (sort: Sort) => void
}

const SortButton = ({ title, sort, chosen, direction, onSort }: SortButtonProps) => (
  <button type="button" class={`sort ${sort === chosen ? `sort-${direction}` : ''}`} onClick={() => onSort(sort)}>
    {title}
    {sort === chosen && <Icon name="down" size={13} />}
  </button>
)

const Row = ({ row, past }: { row: FleetRow; past: Past | undefined }) => (
  <div class="fleet-row">
    <span {...roles.cell} class="fleet-device">
      <span class="fleet-name">
        <a href={`/fleet/${row.device}`} data-row class="stretched">
          <Plain text={row.device} cut />
        </a>
        <Drained row={row} />
      </span>
      <Labels labels={row.labels} most={5} />
    </span>
    <span {...roles.cell} class="fleet-state">
      <State state={row.state} title={row.reason} />
      <span class="muted">
        <Time at={row.last_seen_at} none="never seen" />
      </span>
    </span>
    <span {...roles.cell}>
      <Meter label="CPU" value={row.cpu} series={past?.cpu} />
    </span>
    <span {...roles.cell}>
      <Meter label="Memory" value={row.memory} series={past?.memory} />
    </span>
    <span {...roles.cell}>
      <Meter label="Disk" value={row.disk} series={past?.disk} />
    </span>
    <span {...roles.cell}>
      <Running row={row} />
    </span>
    <span {...roles.cell}>
      <Workloads row={row} />
    </span>
    <span {...roles.cell} class="muted">
      <Plain text={row.version ?? '–'} cut />
    </span>
  </div>
)
