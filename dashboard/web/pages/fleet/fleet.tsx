import { useMemo } from 'preact/hooks'
import { countText, plural } from '../../format/amounts.ts'
import { useLive } from '../../live/use-live.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { useSession } from '../../session/session.ts'
import { useKept } from '../../shell/kept.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { useWide } from '../../shell/wide.ts'
import { NoDevices } from '../overview/first-steps.tsx'
import { chooseDevices, countStates, type Sort } from './choose.ts'
import { Filters, readFleetQuery } from './filters.tsx'
import { FleetGrid } from './fleet-grid.tsx'
import { FleetTable } from './fleet-table.tsx'
import { useMatch } from './use-match.ts'
import { useOrder } from './use-order.ts'
import { useSparklines } from './use-sparklines.ts'
import './fleet.css'

const noRows = new Map()

/** All devices, as they are now. */
export const FleetPage = () => {
  const { data, isLive, error } = useLive({ view: 'fleet' })
  const { isAdmin } = useSession()
  const { query, setQuery } = useQuery()
  const [layout, setLayout] = useKept('fleet-layout', ['table', 'grid'])
  const isWide = useWide()
  const { past, onSight } = useSparklines()
  const shown = readFleetQuery(query)
  const { search, selector, state, sort, direction } = shown
  const { matching, fault } = useMatch(selector, isLive)

  const fleet = data ?? noRows
  const counts = useMemo(() => countStates(fleet.values()), [fleet])
  const chosen = useMemo(() => chooseDevices(fleet.values(), { search, state, matching }), [fleet, search, state, matching])
  const rows = useOrder(chosen, sort, direction, JSON.stringify([search, state, selector]))
  const sortBy = (next: Sort) =>
    setQuery({
      sort: next === 'name' ? null : next,
      // A second press turns the order round; of figures the highest come first.
      dir: (next === sort ? direction === 'up' : next !== 'name' && next !== 'state') ? 'down' : null,
    })

  return (
    <>
      <PageHead
        title="Fleet"
        actions={
          isAdmin && (
            <LinkButton icon="plus" href="/tokens?add=device">
              Add a device
            </LinkButton>
          )
        }
      >
        {data && (
          <span role="status">
            {chosen.length === fleet.size
              ? plural(fleet.size, 'device')
              : `${countText(chosen.length)} of ${plural(fleet.size, 'device')}`}
          </span>
        )}
      </PageHead>
      {error && <Fault error={error} />}
      {!data ? (
        <Skeleton lines={12} />
      ) : fleet.size === 0 ? (
        <NoDevices />
      ) : (
        <>
          <Filters {...{ shown, counts, fault, layout, setQuery }} onLayout={setLayout} />
          {rows.length === 0 ? (
            <Empty icon="search" title="No device fits">
              <Button onClick={() => setQuery({ q: null, selector: null, state: null })}>Show all devices</Button>
            </Empty>
          ) : isWide && layout === 'table' ? (
            <FleetTable {...{ rows, past, onSight, sort, direction }} onSort={sortBy} />
          ) : (
            <FleetGrid {...{ rows, past, onSight }} />
          )}
        </>
      )}
    </>
  )
}
