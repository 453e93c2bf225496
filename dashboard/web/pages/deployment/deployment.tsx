import type { WireError } from '../../../../schemas/errors.ts'
import { CountsBar } from '../../deployments/counts-bar.tsx'
import { Forecast } from '../../deployments/forecast.tsx'
import { batchText, countsOf, isOver } from '../../deployments/words.ts'
import { countText, plural } from '../../format/amounts.ts'
import { wordOf } from '../../format/states.ts'
import type { PageProps } from '../../page.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Segments } from '../../parts/segments.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { Timeline } from '../../parts/timeline.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { Actions } from './actions.tsx'
import { DeviceGroups, DeviceRows } from './device-groups.tsx'
import { FactsCard } from './facts.tsx'
import { sectionsOf } from './sections.ts'
import { type ShownDeployment, useDeployment } from './use-deployment.ts'
import './deployment.css'

const up = { href: '/deployments', label: 'Deployments' }

/** A deployment: how far it is, on which device, why, and what can be done about it. */
export const DeploymentPage = ({ params }: PageProps) => {
  const id = params['deployment'] ?? ''
  const { shown, error, refresh } = useDeployment(id)
  if (shown) return <Whole key={id} shown={shown} error={error} onChanged={refresh} />
  return (
    <>
      <PageHead title={id} up={up} />
      {error === null ? (
        <Skeleton lines={10} />
      ) : error.code === 'not_found' || error.code === 'invalid' ? (
        <Empty icon="question" title="There is no such deployment">
          <p>Its address may be mistyped.</p>
          <LinkButton href="/deployments">To the deployments</LinkButton>
        </Empty>
      ) : (
        <Fault error={error} onRetry={refresh} />
      )}
    </>
  )
}

interface WholeProps {
  shown: ShownDeployment
  /** Why it may not be as it is now. */
  error: WireError | null
  onChanged: () => void
}

const Whole = ({ shown, error, onChanged }: WholeProps) => {
  const { deployment } = shown
  return (
    <>
      <PageHead
        title={deployment.release}
        up={up}
        beside={<State state={deployment.state} of="deployment" />}
        actions={<Actions shown={shown} onChanged={onChanged} />}
      >
        {deployment.reason !== null && <Plain text={deployment.reason} />}
      </PageHead>
      {error && <Fault error={error} onRetry={onChanged} />}
      <Progress shown={shown} />
      <div class="deployment-parts">
        <Devices shown={shown} />
        <aside class="deployment-aside">
          <Card title="What happened">
            <Timeline of="deployment" moments={deployment.history.map((one, index) => ({ ...one, key: `${index} ${one.at}` }))} />
          </Card>
          <FactsCard deployment={deployment} />
        </aside>
      </div>
    </>
  )
}

/** How far it is, at a glance. */
const Progress = ({ shown: { deployment } }: { shown: ShownDeployment }) => {
  const { counts, devices, state, batch, batches, strategy, expected_end_at } = deployment
  const lastBatch = batches - (strategy.canary > 0 ? 1 : 0)
  return (
    <Card>
      <CountsBar counts={counts} />
      <p class="deployment-progress">
        <strong class="number">
          {countText(counts.healthy ?? 0)} of {plural(devices, 'device')} healthy
        </strong>
        {countsOf(counts)
          .filter(([state]) => worthAWord.has(state))
          .map(([state, count]) => (
            <span key={state} class={state === 'failed' ? 'deployment-failed number' : 'number'}>
              {countText(count)} {wordOf(state)}
            </span>
          ))}
        {!isOver(state) && batch !== null && (
          <span class="number">
            {batchText(batch)}
            {batch > 0 && ` of ${countText(lastBatch)}`}
          </span>
        )}
        {!isOver(state) && <Forecast at={expected_end_at} />}
      </p>
    </Card>
  )
}

const worthAWord: ReadonlySet<string> = new Set(['failed', 'rolling_back', 'rolled_back', 'deferred', 'superseded'])

const Devices = ({ shown: { deployment, devices } }: { shown: ShownDeployment }) => {
  const { query, setQuery } = useQuery()
  const chosen = query['state'] ?? ''
  const counted = countsOf(deployment.counts)
  // What is in force is shown, also when nothing is left of it.
  const choices = counted.some(([state]) => state === chosen) || chosen === '' ? counted : [...counted, [chosen, 0] as const]
  const fitting = devices.filter(({ state }) => state === chosen)
  return (
    <Card
      title={plural(deployment.devices, 'device')}
      flush
      aside={
        choices.length > 1 && (
          <Segments
            label="State"
            value={chosen}
            options={[
              { value: '', label: 'All' },
              ...choices.map(([state, count]) => ({ value: state as string, label: `${wordOf(state)} ${countText(count)}` })),
            ]}
            onChange={(state) => setQuery({ state })}
          />
        )
      }
    >
      {chosen === '' ? (
        <DeviceGroups sections={sectionsOf(devices)} />
      ) : fitting.length === 0 ? (
        <Empty icon="check" title={`No device is ${wordOf(chosen)}`} />
      ) : (
        <DeviceRows key={chosen} devices={fitting} />
      )}
    </Card>
  )
}
