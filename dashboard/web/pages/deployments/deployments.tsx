import type { Deployment } from '../../../../schemas/deployment.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { CountsBar } from '../../deployments/counts-bar.tsx'
import { DeploymentTabs } from '../../deployments/deployment-tabs.tsx'
import { Forecast } from '../../deployments/forecast.tsx'
import { useListed } from '../../deployments/use-listed.ts'
import { deploymentStates, isOver } from '../../deployments/words.ts'
import { countText, plural } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Command } from '../../parts/command.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Paging } from '../../parts/paging.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Select } from '../../parts/select.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import './deployments.css'

type List = OutputOf<'deployment.list'>

/** All deployments, newest first, as they are now. */
export const DeploymentsPage = () => {
  const { mayAct } = useSession()
  const { query, setQuery } = useQuery()
  const { state, release } = query
  const isFiltered = Boolean(state || release)
  const path = withQuery('/deployments', { state, release, limit: 20 })
  const { rows, hasMore, isLoading, error, more, refresh } = useListed<List, Deployment>(path, (answer) => answer.deployments)
  const begin = mayAct && (
    <LinkButton kind="primary" icon="plus" href="/deployments/new">
      New deployment
    </LinkButton>
  )
  return (
    <>
      <PageHead title="Deployments" actions={begin} />
      <DeploymentTabs here="deployments" />
      {(isFiltered || (rows && rows.length > 0)) && (
        <div class="bar">
          <Select
            label="State"
            value={state ?? ''}
            options={optionsWith(state ?? '')}
            onChange={(next) => setQuery({ state: next })}
          />
          {release && (
            <span class="muted">
              of <Plain text={release} />
            </span>
          )}
          {isFiltered && (
            <LinkButton kind="quiet" icon="cross" href="/deployments">
              Clear
            </LinkButton>
          )}
        </div>
      )}
      {error && <Fault error={error} onRetry={refresh} />}
      {!rows ? (
        !error && <Skeleton lines={8} />
      ) : rows.length > 0 ? (
        <Card flush>
          <Table caption="Deployments" columns={columns} rows={rows} rowKey={(one) => one.deployment_id} />
          <Paging shown={plural(rows.length, 'deployment')} hasMore={hasMore} isLoading={isLoading} onMore={more} />
        </Card>
      ) : isFiltered ? (
        <Empty icon="search" title="No deployment fits">
          <LinkButton href="/deployments">Show all deployments</LinkButton>
        </Empty>
      ) : (
        <Empty icon="deploy" title="Nothing has been rolled out yet">
          <p>
            A deployment brings a release to many devices: a few at a time, each watched until it is well, and back to what was
            there before when it goes wrong.
          </p>
          {begin}
          <Command text="skein deploy sensors@1.0.0 --all --canary 1 --watch" />
        </Empty>
      )}
    </>
  )
}

const going = 'pending,in_progress,paused,rolling_back'
const options = [
  { value: '', label: 'All states' },
  { value: going, label: 'under way' },
  ...deploymentStates.map((state) => ({ value: state as string, label: wordOf(state) })),
]
/** What the address says is in force, also if it is no choice. */
const optionsWith = (state: string) =>
  options.some(({ value }) => value === state) ? options : [...options, { value: state, label: wordOf(state) }]

const columns: readonly Column<Deployment>[] = [
  {
    title: 'Release',
    cell: (one) => (
      <a href={`/deployments/${one.deployment_id}`} data-row>
        <Plain text={one.release} cut />
      </a>
    ),
  },
  {
    title: 'State',
    wide: true,
    cell: (one) => (
      <span class="deployments-state">
        <State state={one.state} of="deployment" title={one.reason} />
        {one.reason !== null && one.state !== 'completed' ? (
          <span class="muted">
            <Plain text={one.reason} cut />
          </span>
        ) : (
          !isOver(one.state) && (
            <span class="muted">
              <Forecast at={one.expected_end_at} />
            </span>
          )
        )}
      </span>
    ),
  },
  {
    title: 'Devices',
    cell: (one) => (
      <span class="deployments-devices">
        <CountsBar counts={one.counts} />
        <span class="muted number">
          {countText(one.counts.healthy ?? 0)} of {countText(one.devices)} healthy
          {(one.counts.failed ?? 0) > 0 && `, ${countText(one.counts.failed ?? 0)} failed`}
        </span>
      </span>
    ),
  },
  { title: 'By', cell: (one) => <Plain text={one.created_by} cut /> },
  { title: 'Begun', align: 'right', cell: (one) => <Time at={one.created_at} /> },
  { title: 'Ended', align: 'right', cell: (one) => <Time at={one.ended_at} /> },
]
