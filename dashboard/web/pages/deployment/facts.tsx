import type { Deployment } from '../../../../schemas/deployment.ts'
import { shareText, targetText } from '../../deployments/words.ts'
import { durationText, plural } from '../../format/amounts.ts'
import { Card } from '../../parts/card.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Since, Time } from '../../parts/time.tsx'

/** How it is done, and what it is. */
export const FactsCard = ({ deployment }: { deployment: Deployment }) => {
  const { strategy, target, started_at, ended_at } = deployment
  return (
    <Card title="How it is done">
      <KeyValues
        facts={[
          ['For', <Plain text={targetText(target)} />],
          ['At a time', shareText(strategy.batch)],
          ['Canary', strategy.canary > 0 && `${plural(strategy.canary, 'device')} first`],
          ['Pause', strategy.pause_seconds > 0 && `${durationText(strategy.pause_seconds)} between batches`],
          [
            'Healthy',
            `well for ${durationText(strategy.min_healthy_seconds)}, within ${durationText(strategy.health_timeout_seconds)}`,
          ],
          ['May fail', failuresText(strategy)],
          ['Unavailable', unavailable(strategy)],
          ['If it fails', strategy.auto_rollback ? 'rolled back' : 'left as it is'],
          ['Who is late', late[strategy.late]],
          ['Gets no further', `failed after ${durationText(strategy.progress_deadline_seconds)}`],
          ['By', <Plain text={deployment.created_by} />],
          ['Begun', <Time at={deployment.created_at} />],
          [ended_at === null ? 'Runs for' : 'Took', started_at !== null && <Since from={started_at} to={ended_at} />],
          ['Deployment', <Plain text={deployment.deployment_id} mono />],
          ['Digest', <Plain text={deployment.digest.slice(0, 16)} mono />],
        ]}
      />
    </Card>
  )
}

type Strategy = Deployment['strategy']

const failuresText = ({ max_failures, max_failure_ratio }: Strategy): string => {
  const ratio = max_failure_ratio === undefined ? '' : `, ${Math.round(max_failure_ratio * 1000) / 10} % of those that ended`
  return `${max_failures === 0 ? 'none' : plural(max_failures, 'device')}${ratio}`
}

const unavailable = ({ max_unavailable, max_unavailable_per }: Strategy) =>
  max_unavailable === undefined ? null : (
    <Plain
      text={`at most ${shareText(max_unavailable)}${max_unavailable_per === undefined ? '' : `, for each ${max_unavailable_per}`}`}
    />
  )

export const late: Readonly<Record<Strategy['late'], string>> = {
  apply: 'gets it',
  apply_if_not_superseded: 'gets it, unless there is a newer one',
  hold: 'waits until somebody lets it in',
}
