import { useEffect } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { WorkloadRun } from '../../../../schemas/workload-status.ts'
import { useAsk } from '../../api/use-ask.ts'
import { wordOf } from '../../format/states.ts'
import { Duration } from '../../parts/amounts.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'

interface WorkloadRunsProps {
  device: string
  workload: string
  /** Asks again when this is another. */
  changed: number
}

/** The last runs of a workload, as its device has them. */
export const WorkloadRuns = ({ device, workload, changed }: WorkloadRunsProps) => {
  const path = `/devices/${encodeURIComponent(device)}/workloads/${encodeURIComponent(workload)}/history?limit=200`
  const { data, error, refresh } = useAsk<OutputOf<'workload.history'>>(path)
  useEffect(() => {
    if (data) refresh()
  }, [changed])
  if (error && !data) return <Fault error={error} onRetry={refresh} />
  if (!data) return <Skeleton lines={6} />
  return (
    <Card flush>
      {data.runs.length === 0 ? (
        <Empty icon="clock" title="It has not run yet" />
      ) : (
        <Table caption={`Runs of ${workload}`} columns={columns} rows={data.runs} rowKey={(run) => run.run_id} />
      )}
    </Card>
  )
}

const columns: readonly Column<WorkloadRun>[] = [
  { title: 'Started', cell: (run) => <Time at={run.started_at ?? run.slot} /> },
  { title: 'State', cell: (run) => <State state={run.state} /> },
  { title: 'Reason', wide: true, cell: (run) => (run.reason === null ? null : <Plain text={wordOf(run.reason)} cut />) },
  { title: 'Why it ran', cell: (run) => <Plain text={wordOf(run.cause)} /> },
  {
    title: 'Exit',
    align: 'right',
    cell: (run) => <span class="number">{run.signal === null ? (run.exit_code ?? '–') : <Plain text={run.signal} />}</span>,
  },
  { title: 'Took', align: 'right', cell: (run) => <Duration seconds={run.duration_seconds} /> },
]
