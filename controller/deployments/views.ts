import type { Deployment, DeploymentDevice, DeploymentTarget } from '../../schemas/deployment.ts'
import type { ReportedRelease } from '../../schemas/desired.ts'
import { instant } from '../../schemas/ids.ts'
import { batchesOf, countsOf } from '../core/rollout/counts.ts'
import { expectedEndAt } from '../core/rollout/forecast.ts'
import type { Rollout, RolloutDevice } from '../core/rollout/rollout.ts'
import type { DeploymentRow } from '../store/deployments.ts'
import type { LiveDeployment } from './live-deployment.ts'

/** A deployment as it is shown. */
export const deploymentView = ({ row, rollout }: LiveDeployment, now: number): Deployment =>
  viewOf(row, rollout, summaryOf(rollout), expectedEndAt(rollout, now))

/** The same of one that has been written down, without reading its devices; when it will end is not told. */
export const storedDeploymentView = (row: DeploymentRow): Deployment => {
  const { summary, ...rollout } = JSON.parse(row.rollout) as Omit<Rollout, 'devices'> & { summary: Summary } // stored so
  return viewOf(row, rollout, summary, null)
}

/** What is told of all devices of a deployment together. It is stored beside the rest, so that a list need not read them all. */
export const summaryOf = (rollout: Rollout) => ({
  devices: rollout.devices.length,
  counts: countsOf(rollout),
  batches: batchesOf(rollout),
})
type Summary = ReturnType<typeof summaryOf>

const viewOf = (row: DeploymentRow, rollout: Omit<Rollout, 'devices'>, summary: Summary, endsAt: number | null): Deployment => ({
  deployment_id: row.deployment_id,
  release: `${row.name}@${row.version}`,
  ...{ name: row.name, version: row.version, digest: row.digest },
  ...{ state: rollout.state, reason: rollout.reason },
  target: JSON.parse(row.target) as DeploymentTarget, // stored from checked input
  strategy: rollout.strategy,
  ...summary,
  batch: rollout.batch,
  created_by: row.created_by,
  created_at: instant(row.created_at),
  started_at: timeOf(rollout.startedAt),
  ended_at: timeOf(rollout.endedAt),
  expected_end_at: timeOf(endsAt),
})

/** A device in a deployment as it is shown. */
export const deploymentDeviceView = (
  { devices }: LiveDeployment,
  { device, batch, state, reason, startedAt, endedAt }: RolloutDevice,
  reported: ReportedRelease | null,
): DeploymentDevice => ({
  ...{ device, batch, state, reason },
  previous: devices.get(device)?.previous?.version ?? null,
  ...{ started_at: timeOf(startedAt), ended_at: timeOf(endedAt) },
  progress: state === 'deploying' || state === 'deployed' || state === 'rolling_back' ? progressOf(reported) : null,
})

/** What a device says of its way to a release, in a few words. */
const progressOf = (reported: ReportedRelease | null): string | null => {
  if (!reported) return null
  const { state, progress } = reported
  if (state === 'downloading' && progress && progress.total > 0)
    return `downloading, ${Math.floor((100 * progress.bytes) / progress.total)} %`
  return reported.reason === null ? state : `${state}: ${reported.reason}`
}

const timeOf = (ms: number | null): string | null => (ms === null ? null : instant(ms))
