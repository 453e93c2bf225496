import { useEffect, useState } from 'preact/hooks'
import type { FleetRow } from '../../../../schemas/dashboard.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { withQuery } from '../../api/ask.ts'
import { useAsk } from '../../api/use-ask.ts'
import { AreaChart } from '../../charts/area-chart.tsx'
import { useAheadMs } from '../../live/use-ahead.ts'
import { Card } from '../../parts/card.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Segments } from '../../parts/segments.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { useQuery } from '../../shell/query.ts'

const ranges = ['1h', '6h', '24h', '48h'] as const
const hours = { '1h': 1, '6h': 6, '24h': 24, '48h': 48 }
const points = { '1h': 60, '6h': 120, '24h': 144, '48h': 192 }
const minuteMs = 60_000

/** How busy the device has been. */
export const MetricsCard = ({ row }: { row: FleetRow }) => {
  const { device } = row
  const { query, setQuery } = useQuery()
  const range = ranges.find((one) => one === query['range']) ?? '1h'
  const minute = useMinute()
  const { data, error, refresh } = useAsk<OutputOf<'device.metrics'>>(
    withQuery('/device-metrics', {
      devices: device,
      since: new Date((minute - hours[range] * 60 + 1) * minuteMs).toISOString(),
      points: points[range],
    }),
  )
  const of = data?.devices[0]
  const at = data && { from: Date.parse(data.from), stepMs: data.step_seconds * 1000 }
  return (
    <Card
      title="How busy it is"
      aside={
        <Segments
          label="Time"
          value={range}
          options={ranges.map((value) => ({ value, label: value.replace('h', ' h') }))}
          onChange={(next) => setQuery({ range: next === '1h' ? null : next })}
        />
      }
    >
      {error && !data ? (
        <Fault error={error} onRetry={refresh} />
      ) : !at ? (
        <Skeleton lines={5} />
      ) : (
        <div class="device-charts">
          <AreaChart label="CPU" unit=" %" top={100} series={of?.cpu_percent ?? []} now={row.cpu} {...at} />
          <AreaChart label="Memory" unit=" %" top={100} series={of?.memory_percent ?? []} now={row.memory} {...at} />
          <AreaChart label="Disk" unit=" %" top={100} series={of?.disk_percent ?? []} now={row.disk} {...at} />
          <AreaChart
            label="Temperature"
            unit=" °C"
            top={100}
            series={of?.temperature_celsius ?? []}
            now={row.temperature}
            {...at}
          />
        </div>
      )}
    </Card>
  )
}

/** The minute that it is by the server's clock; a step of the history is no shorter. */
const useMinute = (): number => {
  const aheadMs = useAheadMs()
  const now = (): number => Math.floor((Date.now() + aheadMs) / minuteMs)
  const [minute, setMinute] = useState(now)
  useEffect(() => {
    const timer = setInterval(() => setMinute(now()), minuteMs / 4)
    return () => clearInterval(timer)
  }, [aheadMs])
  return minute
}
