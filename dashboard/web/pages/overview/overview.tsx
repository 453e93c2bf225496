import type { Overview } from '../../../../schemas/dashboard.ts'
import { BarChart } from '../../charts/bar-chart.tsx'
import { durationText, plural } from '../../format/amounts.ts'
import { msOf } from '../../format/relative-time.ts'
import { useLive } from '../../live/use-live.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { Tile } from '../../parts/tiles.tsx'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { AttentionCard } from './attention.tsx'
import { NoDevices, NoTasks } from './first-steps.tsx'
import { failedStates } from './links.ts'
import { RecentCard } from './recent.tsx'
import { RolloutsCard } from './rollouts.tsx'

/** How the fleet and its work stand. */
export const OverviewPage = () => {
  const { data, error } = useLive({ view: 'overview' })
  const { mayAct } = useSession()
  return (
    <>
      <PageHead
        title="Overview"
        actions={
          mayAct && (
            <LinkButton kind="primary" icon="plus" href="/tasks/new">
              New task
            </LinkButton>
          )
        }
      />
      {error && <Fault error={error} />}
      {data ? <Picture shown={data} /> : <Skeleton lines={9} />}
    </>
  )
}

const Picture = ({ shown }: { shown: Overview }) => {
  const { devices, tasks, throughput, recent, deployments, attention } = shown
  const hasDevices = devices.online + devices.stale + devices.offline > 0
  const hasTasks = recent.length > 0 || Object.values(tasks).some((count) => count > 0)
  return (
    <>
      <Tiles shown={shown} />
      {!hasDevices && <NoDevices />}
      {deployments.length > 0 && <RolloutsCard deployments={deployments} />}
      <div class="columns">
        {hasTasks && (
          <Card title="The last hour">
            <BarChart
              label="Tasks that ended, by the minute"
              from={msOf(throughput.from) ?? 0}
              stepMs={throughput.step_seconds * 1000}
              bars={[
                { label: 'succeeded', kind: 'good', counts: throughput.succeeded },
                { label: 'failed', kind: 'bad', counts: throughput.failed },
                { label: 'cancelled', kind: 'off', counts: throughput.cancelled },
              ]}
            />
          </Card>
        )}
        {(hasDevices || attention.length > 0) && <AttentionCard attention={attention} count={shown.attention_count} />}
      </div>
      {hasTasks ? <RecentCard tasks={recent} /> : hasDevices && <NoTasks />}
    </>
  )
}

const Tiles = ({ shown: { devices, tasks, queue, throughput } }: { shown: Overview }) => {
  const failed = throughput.failed.reduce((sum, count) => sum + count, 0)
  const ended = failed + [...throughput.succeeded, ...throughput.cancelled].reduce((sum, count) => sum + count, 0)
  return (
    <nav class="tiles" aria-label="Devices and tasks by state">
      <Tile name="Online" icon="check" tone="good" count={devices.online} href="/fleet?state=online">
        {devices.drained > 0 && `${devices.drained} drained`}
      </Tile>
      <Tile name="Stale" icon="clock" tone="warn" count={devices.stale} href="/fleet?state=stale">
        {devices.stale > 0 && 'connected but silent'}
      </Tile>
      <Tile name="Offline" icon="cross" tone="off" count={devices.offline} href="/fleet?state=offline" />
      <Tile name="Running" icon="play" tone="busy" count={tasks['active'] ?? 0} href="/tasks?state=active">
        {(tasks['active'] ?? 0) > 0 && 'tasks at work'}
      </Tile>
      <Tile name="Queued" icon="clock" tone="wait" count={queue.depth} href="/tasks?state=queued">
        {queue.oldest_seconds !== null && `oldest for ${durationText(Math.round(queue.oldest_seconds))}`}
      </Tile>
      <Tile name="Failed" icon="warning" tone="bad" count={failed} href={`/tasks?state=${failedStates}`}>
        {ended > 0 ? `of ${plural(ended, 'task')} in an hour` : 'in the last hour'}
      </Tile>
    </nav>
  )
}
