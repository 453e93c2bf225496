import type { DeviceShown, FleetRow } from '../../../../schemas/dashboard.ts'
import { useLive } from '../../live/use-live.ts'
import type { PageProps } from '../../page.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { Time } from '../../parts/time.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { Drained } from '../fleet/device-facts.tsx'
import { Actions } from './actions.tsx'
import { FactsCard } from './facts.tsx'
import { LabelsCard } from './labels-card.tsx'
import { MetricsCard } from './metrics.tsx'
import { ReleasesCard } from './releases.tsx'
import { ReportedCard } from './reported.tsx'
import { TasksCard } from './tasks.tsx'
import { WorkloadPage, workloadViewIn } from './workload.tsx'
import { WorkloadsCard } from './workloads.tsx'
import './device.css'

/** One device: how it is, what it runs, what can be done with it. */
export const DevicePage = ({ params }: PageProps) => {
  const device = params['device'] ?? ''
  return <Device key={device} device={device} />
}

const Device = ({ device }: { device: string }) => {
  const { data, error } = useLive({ view: 'device', device })
  const { query } = useQuery()
  const workload = workloadViewIn(query)
  if (workload)
    return (
      <WorkloadPage
        key={workload.name}
        device={device}
        name={workload.name}
        view={workload.view}
        status={data?.reported?.workloads.find(({ name }) => name === workload.name)}
      />
    )
  const up = { href: '/fleet', label: 'Fleet' }
  if (error || data?.row === null)
    return (
      <>
        <PageHead title={device} up={up} />
        {error ? (
          <Fault error={error} />
        ) : (
          <Empty icon="question" title="No device of this name is in the fleet">
            <p>It may have been removed, or it has not joined yet.</p>
            <LinkButton href="/fleet">To the fleet</LinkButton>
          </Empty>
        )}
      </>
    )
  if (!data?.row)
    return (
      <>
        <PageHead title={device} up={up} />
        <Skeleton lines={10} />
      </>
    )
  return <Shown shown={data} row={data.row} />
}

const Shown = ({ shown, row }: { shown: DeviceShown; row: FleetRow }) => (
  <>
    <PageHead
      title={row.device}
      up={{ href: '/fleet', label: 'Fleet' }}
      beside={
        <>
          <State state={row.state} />
          <Drained row={row} />
        </>
      }
      actions={<Actions row={row} />}
    >
      {row.reason !== null && (
        <>
          <Plain text={row.reason} /> ·{' '}
        </>
      )}
      {row.last_seen_at === null ? (
        'Never seen'
      ) : (
        <>
          Last seen <Time at={row.last_seen_at} />
        </>
      )}
    </PageHead>
    {shown.refuses !== null && (
      <Fault error={{ code: 'refuses', message: `It takes nothing new: ${shown.refuses}`, retryable: false }} />
    )}
    <MetricsCard row={row} />
    <WorkloadsCard device={row.device} reported={shown.reported} />
    <ReleasesCard device={row.device} reported={shown.reported} />
    <div class="columns">
      <TasksCard device={row.device} />
      <div class="stack device-side">
        <LabelsCard device={row.device} labels={row.labels} />
        <FactsCard shown={shown} row={row} />
        <ReportedCard reported={shown.reported} />
      </div>
    </div>
  </>
)
