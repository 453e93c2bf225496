import type { WorkloadStatus } from '../../../../schemas/workload-status.ts'
import { wordOf } from '../../format/states.ts'
import { WorkloadLog } from '../../log/workload-log.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { Tabs } from '../../parts/tabs.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { WorkloadActions } from './workload-actions.tsx'
import { WorkloadFacts } from './workload-facts.tsx'
import { WorkloadRuns } from './workload-runs.tsx'
import type { WorkloadView } from './workload-view.ts'

interface WorkloadPageProps {
  device: string
  name: string
  view: WorkloadView
  /** As the device has reported it last. */
  status: WorkloadStatus | undefined
}

/** One workload of a device: its log, its runs, and all that its device says of it. */
export const WorkloadPage = ({ device, name, view, status }: WorkloadPageProps) => (
  <>
    <PageHead
      title={name}
      up={{ href: `/fleet/${device}`, label: device }}
      beside={
        status && (
          <>
            <State state={status.state} />
            {status.health !== null && status.health !== 'unknown' && <State state={status.health} />}
          </>
        )
      }
      actions={status && <WorkloadActions device={device} status={status} />}
    >
      {status && status.reason !== null && status.reason !== status.state && <Plain text={wordOf(status.reason)} />}
    </PageHead>
    <Tabs
      label={`Views of ${name}`}
      tabs={[
        { id: 'log', label: 'Log' },
        { id: 'runs', label: 'Runs' },
        { id: 'facts', label: 'Details' },
      ]}
      selected={view}
      hrefOf={(id) => `/fleet/${device}?${id}=${name}`}
    />
    {view === 'log' && <WorkloadLog device={device} workload={name} />}
    {view === 'runs' && <WorkloadRuns device={device} workload={name} changed={status?.run_count ?? 0} />}
    {view === 'facts' && <WorkloadFacts status={status} />}
  </>
)
