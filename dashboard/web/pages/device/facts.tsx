import type { DeviceShown, FleetRow } from '../../../../schemas/dashboard.ts'
import { durationText, mibText } from '../../format/amounts.ts'
import { Card } from '../../parts/card.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Time } from '../../parts/time.tsx'

/** What the device says of itself. */
export const FactsCard = ({ shown, row }: { shown: DeviceShown; row: FleetRow }) => {
  const figure = (name: string): number | null => {
    const value = shown.metrics?.[name]
    return typeof value === 'number' ? value : null
  }
  const load = shown.metrics?.['load']
  const uptime = figure('uptime_seconds')
  return (
    <Card title="The device">
      <KeyValues
        facts={[
          ['Version', row.version === null ? null : <Plain text={row.version} />],
          ['Runs', `${row.running} of ${row.capacity} at a time`],
          ['Memory', ofTotal(figure('memory_used_mb'), figure('memory_total_mb'))],
          ['Disk', ofTotal(figure('disk_used_mb'), figure('disk_total_mb'))],
          ['Temperature', row.temperature === null ? null : `${row.temperature} °C`],
          ['Load', Array.isArray(load) ? load.map((one) => Number(one).toFixed(2)).join('  ') : null],
          ['Up for', uptime === null ? null : durationText(uptime)],
          ['Joined', <Time at={row.joined_at} />],
          ['Can', shown.capabilities.length === 0 ? null : <Plain text={shown.capabilities.join(', ')} />],
        ]}
      />
    </Card>
  )
}

const ofTotal = (used: number | null, total: number | null): string | null =>
  used === null || total === null ? null : `${mibText(used)} of ${mibText(total)}`
