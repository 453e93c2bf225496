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

const views = ['log', 'runs', 'facts'] as const
export type WorkloadView = (typeof views)[number]

/** The workload that the address of a device's page names, and what of it is shown: `?log=watcher`. */
export const workloadViewIn = (query: Readonly<Record<string, string>>): { name: string; view: WorkloadView } | undefined => {
  const view = views.find((one) => query[one])
  const name = view && query[view]
  return view && name ? { name, view } : undefined
}

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
