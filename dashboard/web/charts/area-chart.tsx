import { useState } from 'preact/hooks'
import { edgeTime, exactTime } from '../format/relative-time.ts'
import { areaPath, describeSeries, linePath, niceCeiling, type Series, summaryOf, tidy } from './scale.ts'

interface AreaChartProps {
  label: string
  series: Series
  /** The instant of the first number, and the time from one to the next. */
  from: number
  stepMs: number
  unit: string
  /** The top of the field; without it, one that fits. */
  top?: number
  /** What it is at this moment, which is newer than the last step. */
  now?: number | null
}

const width = 600
const height = 120

/** One quantity over time, with its lowest, highest and last value. The pointer shows the value below it. */
export const AreaChart = ({ label, series, from, stepMs, unit, top, now }: AreaChartProps) => {
  const [at, setAt] = useState<number | null>(null)
  const summary = summaryOf(series)
  const field = { width, height, top: top ?? niceCeiling(summary?.max ?? 1) }
  const value = at === null ? null : (series[at] ?? null)
  const last = now ?? summary?.last ?? null
  const until = from + stepMs * Math.max(0, series.length - 1)
  const isLong = until - from > 20 * 3600_000
  const point = (event: PointerEvent & { currentTarget: Element }) => {
    const { left, width: wide } = event.currentTarget.getBoundingClientRect()
    const share = Math.max(0, Math.min(1, (event.clientX - left) / wide))
    setAt(Math.round(share * (series.length - 1)))
  }
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-label">{label}</span>
        {at === null ? (
          <span class="chart-summary">
            {(summary || last !== null) && <strong>{last === null ? '–' : `${tidy(last)}${unit}`}</strong>}
            {summary && (
              <span>
                {tidy(summary.min)}–{tidy(summary.max)}
              </span>
            )}
          </span>
        ) : (
          <span class="chart-summary">
            <strong>{value === null ? '–' : `${tidy(value)}${unit}`}</strong>
            <span>{exactTime(from + at * stepMs).slice(0, 16)}</span>
          </span>
        )}
      </figcaption>
      <div class="chart-field" onPointerMove={point} onPointerLeave={() => setAt(null)}>
        <span class="chart-top" aria-hidden="true">
          {field.top}
          {unit}
        </span>
        <svg
          viewBox={`0 -2 ${width} ${height + 4}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={describeSeries(label, series, unit)}
        >
          <path class="chart-grid" d={`M0 0H${width}M0 ${height / 2}H${width}M0 ${height}H${width}`} />
          <path class="chart-area" d={areaPath(series, field)} />
          <path class="chart-line" d={linePath(series, field)} />
          {at !== null && <path class="chart-cursor" d={`M${(at * width) / Math.max(1, series.length - 1)} 0V${height}`} />}
        </svg>
        {!summary && <span class="chart-nothing">Nothing is known of this time</span>}
      </div>
      <div class="chart-times" aria-hidden="true">
        <span>{edgeTime(from, isLong)}</span>
        <span>{edgeTime(until, isLong)}</span>
      </div>
    </figure>
  )
}
