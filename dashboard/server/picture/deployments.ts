import type { Attention, RunningDeployment } from '../../../schemas/dashboard.ts'
import type { Deployment } from '../../../schemas/deployment.ts'

/** A deployment that is under way, as the overview shows it. */
export const runningOf = (one: Deployment): RunningDeployment => ({
  ...{ deployment_id: one.deployment_id, release: one.release, state: one.state, reason: one.reason },
  ...{ devices: one.devices, counts: one.counts, expected_end_at: timeOf(one.expected_end_at) },
})

/** What somebody should know of a deployment: that it waits for somebody, or that it has ended badly. */
export const attentionOf = ({ deployment_id, release, state, reason, ended_at }: Deployment): Attention[] => {
  const because = reason === null ? '' : `: ${reason}`
  const about = { deployment: deployment_id, at: timeOf(ended_at) }
  switch (state) {
    case 'failed':
      return [
        { kind: 'deployment_failed', severity: 'critical', says: `Deployment of ${release} has failed${because}`, ...about },
      ]
    case 'rolled_back':
      return [{ kind: 'deployment_rolled_back', severity: 'warning', says: `${release} was rolled back${because}`, ...about }]
    case 'paused':
      return [{ kind: 'deployment_paused', severity: 'warning', says: `Deployment of ${release} is paused${because}`, ...about }]
    case 'pending':
    case 'in_progress':
    case 'completed':
    case 'cancelled':
    case 'rolling_back':
      return []
  }
}

const timeOf = (at: string | null): number | null => (at === null ? null : Date.parse(at))
