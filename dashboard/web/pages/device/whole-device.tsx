import type { DeviceShown, FleetRow } from '../../../../schemas/dashboard.ts'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { Time } from '../../parts/time.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { Drained } from '../fleet/device-facts.tsx'
import { Actions } from './actions.tsx'
import { FactsCard } from './facts.tsx'
import { LabelsCard } from './labels-card.tsx'
import { MetricsCard } from './metrics.tsx'
import { ReleasesCard } from './releases.tsx'
import { ReportedCard } from './reported.tsx'
import { TasksCard } from './tasks.tsx'
import { WorkloadsCard } from './workloads.tsx'
import './device.css'

/** All of a device: its load, what it runs, what it is to run, what it had to do. */
export const WholeDevice = ({ shown, row }: { shown: DeviceShown; row: FleetRow }) => (
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
