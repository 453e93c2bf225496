import type { DeviceShown } from '../../../../schemas/dashboard.ts'
import { plural } from '../../format/amounts.ts'
import { Card } from '../../parts/card.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Time } from '../../parts/time.tsx'

/** What should be on the device, as far as it has come, and what it says that it has. */
export const ReportedCard = ({ reported }: { reported: DeviceShown['reported'] }) => {
  if (!reported) return null
  return (
    <Card title="Desired and reported">
      <KeyValues
        facts={[
          ['Follows', reported.revision === 0 ? 'nothing from the controller yet' : `revision ${reported.revision}`],
          ['Reported', <Time at={reported.at} />],
          [
            'Complete',
            reported.is_partial
              ? 'no: it has more than fits in one message'
              : `yes, ${plural(reported.workloads.length, 'workload')}`,
          ],
          ...origins(reported.workloads).map(
            ([origin, names]) => [origin === 'local' ? 'From the machine' : `From ${origin}`, <Plain text={names} />] as const,
          ),
        ]}
      />
    </Card>
  )
}

/** The workloads of each origin, with their versions. */
const origins = (workloads: NonNullable<DeviceShown['reported']>['workloads']): [origin: string, names: string][] => {
  const byOrigin = new Map<string, string[]>()
  for (const { origin, name, version } of workloads)
    byOrigin.set(origin, [...(byOrigin.get(origin) ?? []), version === null ? name : `${name} ${version}`])
  return [...byOrigin].map(([origin, names]) => [origin, names.join(', ')])
}
