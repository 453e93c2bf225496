import type { RunningDeployment } from '../../../../schemas/dashboard.ts'
import { CountsBar } from '../../deployments/counts-bar.tsx'
import { Forecast } from '../../deployments/forecast.tsx'
import { countText } from '../../format/amounts.ts'
import { Card } from '../../parts/card.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import './rollouts.css'

/** What is being rolled out at this moment, and how far it is. */
export const RolloutsCard = ({ deployments }: { deployments: readonly RunningDeployment[] }) => (
  <Card title="Deployments under way" flush aside={<a href="/deployments">All deployments</a>}>
    <ul class="rollouts">
      {deployments.map((one) => (
        <li key={one.deployment_id}>
          <a class="rollout" href={`/deployments/${encodeURIComponent(one.deployment_id)}`}>
            <strong>
              <Plain text={one.release} cut />
            </strong>
            <State state={one.state} of="deployment" title={one.reason} />
            <span class="rollout-how muted number">
              {countText(one.counts.healthy ?? 0)} of {countText(one.devices)} healthy
              {one.expected_end_at !== null && (
                <>
                  , <Forecast at={one.expected_end_at} />
                </>
              )}
            </span>
            <CountsBar counts={one.counts} thin />
          </a>
        </li>
      ))}
    </ul>
  </Card>
)
