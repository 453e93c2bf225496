import { useEffect } from 'preact/hooks'
import type { DeviceShown } from '../../../../schemas/dashboard.ts'
import type { Deployment } from '../../../../schemas/deployment.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { useAsk } from '../../api/use-ask.ts'
import { useListed } from '../../deployments/use-listed.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { Badge, State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { useSession } from '../../session/session.ts'
import { mergedPlan, type PlannedRelease } from './plan.ts'

interface ReleasesCardProps {
  device: string
  reported: DeviceShown['reported']
}

type Plan = OutputOf<'device.plan'>
type List = OutputOf<'deployment.list'>

/** What the device runs of what is rolled out, what it is to run, and why the two are not the same. */
export const ReleasesCard = ({ device, reported }: ReleasesCardProps) => {
  const { mayAct } = useSession()
  const name = encodeURIComponent(device)
  const { data, error, refresh } = useAsk<Plan>(`/devices/${name}/plan`)
  const last = useListed<List, Deployment>(withQuery('/deployments', { device, limit: 5 }), (answer) => answer.deployments)
  // What it is to run changes with its deployments; what it says comes live.
  const { rows } = last
  const key = JSON.stringify([
    reported?.revision,
    reported?.releases.map(({ name, state, active }) => [name, state, active?.digest]),
    rows?.map(({ deployment_id, state }) => [deployment_id, state]),
  ])
  useEffect(() => {
    if (data) refresh()
  }, [key, refresh])
  if (error && !data)
    return (
      <Card title="Releases">
        <Fault error={error} onRetry={refresh} />
      </Card>
    )
  const planned = data && mergedPlan(data, reported?.releases)
  return (
    <Card
      title="Releases"
      flush
      aside={
        planned &&
        planned.length > 0 &&
        (data.in_sync ? (
          <Badge tone="good" icon="check">
            as it is to be
          </Badge>
        ) : (
          <Badge tone="busy" icon="clock">
            not yet as it is to be
          </Badge>
        ))
      }
    >
      {!planned || !rows ? (
        <div class="device-waits">
          <Skeleton lines={2} />
        </div>
      ) : planned.length === 0 && rows.length === 0 ? (
        <Empty icon="release" title="Nothing has been rolled out to it">
          <p>A release brings workloads with the files that they need, to this device or to many.</p>
          {mayAct && (
            <LinkButton icon="deploy" href={withQuery('/deployments/new', { device })}>
              Roll something out here
            </LinkButton>
          )}
        </Empty>
      ) : (
        <>
          {planned.length > 0 && <Table caption="Releases" columns={columns} rows={planned} rowKey={(one) => one.name} />}
          {rows.length > 0 && (
            <>
              <h3 class="device-deployments">Last deployments</h3>
              <Table
                caption={`Last deployments of ${device}`}
                columns={deploymentColumns}
                rows={rows}
                rowKey={(one) => one.deployment_id}
              />
            </>
          )}
        </>
      )}
    </Card>
  )
}

const columns: readonly Column<PlannedRelease>[] = [
  {
    title: 'Release',
    cell: (one) => (
      <strong class="release-of-device">
        <Plain text={one.name} cut />
      </strong>
    ),
  },
  { title: 'Runs', cell: (one) => <Version version={one.runs} none="nothing" /> },
  { title: 'Is to run', cell: (one) => <Version version={one.wanted} none="nothing" deployment={one.deployment} /> },
  {
    title: 'State',
    wide: true,
    cell: (one) => (
      <span class="release-state">
        {one.state !== null && <State state={one.state} />}
        {one.why !== null && (
          <span class="muted">
            <Plain text={one.why} />
          </span>
        )}
      </span>
    ),
  },
  { title: 'Since', align: 'right', cell: (one) => <Time at={one.since} /> },
]

const Version = ({ version, none, deployment }: { version: string | null; none: string; deployment?: string | null }) =>
  version === null ? (
    <span class="muted">{none}</span>
  ) : deployment ? (
    <a href={`/deployments/${encodeURIComponent(deployment)}`} data-row>
      <Plain text={version} cut />
    </a>
  ) : (
    <Plain text={version} cut />
  )

const deploymentColumns: readonly Column<Deployment>[] = [
  {
    title: 'Deployment',
    wide: true,
    cell: (one) => (
      <a href={`/deployments/${one.deployment_id}`} data-row>
        <Plain text={one.release} cut />
      </a>
    ),
  },
  { title: 'State', cell: (one) => <State state={one.state} of="deployment" title={one.reason} /> },
  { title: 'By', cell: (one) => <Plain text={one.created_by} cut /> },
  { title: 'Begun', align: 'right', cell: (one) => <Time at={one.created_at} /> },
]
