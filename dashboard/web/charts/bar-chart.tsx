import { useState } from 'preact/hooks'
import { edgeTime } from '../format/relative-time.ts'
import { niceCeiling } from './scale.ts'

/** One kind of what is counted; those that come first stand lowest. */
export interface Bars {
  label: string
  kind: 'good' | 'bad' | 'off' | 'busy'
  counts: readonly number[]
}

interface BarChartProps {
  label: string
  bars: readonly Bars[]
  from: number
  stepMs: number
}

const width = 600
const height = 120

/** Counts in each step of time, on top of each other. The pointer shows the counts below it. */
export const BarChart = ({ label, bars, from, stepMs }: BarChartProps) => {
  const [at, setAt] = useState<number | null>(null)
  const steps = Math.max(1, ...bars.map(({ counts }) => counts.length))
  const sums = Array.from({ length: steps }, (_, step) => bars.reduce((sum, { counts }) => sum + (counts[step] ?? 0), 0))
  const top = niceCeiling(Math.max(...sums))
  const wide = width / steps
  const point = (event: PointerEvent & { currentTarget: Element }) => {
    const box = event.currentTarget.getBoundingClientRect()
    setAt(Math.max(0, Math.min(steps - 1, Math.floor(((event.clientX - box.left) / box.width) * steps))))
  }
  const countOf = ({ counts }: Bars): number => (at === null ? counts.reduce((sum, one) => sum + one, 0) : (counts[at] ?? 0))
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-legend">
          {bars.map((one) => (
            <span key={one.label} class={`chart-key tone-${one.kind}`}>
              {one.label} <strong>{countOf(one)}</strong>
            </span>
          ))}
        </span>
        <span class="chart-summary">
          <span>{at === null ? 'in all' : `at ${edgeTime(from + at * stepMs, false)}`}</span>
        </span>
      </figcaption>
      <div class="chart-field" onPointerMove={point} onPointerLeave={() => setAt(null)}>
        <span class="chart-top" aria-hidden="true">
          {top}
        </span>
        <svg
          viewBox={`0 -2 ${width} ${height + 4}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${label}: ${bars.map((one) => `${countOf(one)} ${one.label}`).join(', ')}`}
        >
          <path class="chart-grid" d={`M0 0H${width}M0 ${height / 2}H${width}M0 ${height}H${width}`} />
          {bars.map((one, index) => (
            <path key={one.label} class={`chart-bars tone-${one.kind}`} d={barsPath(bars.slice(0, index), one, { wide, top })} />
          ))}
          {at !== null && <rect class="chart-band" x={at * wide} y="0" width={wide} height={height} />}
        </svg>
      </div>
      <div class="chart-times" aria-hidden="true">
        <span>{edgeTime(from, false)}</span>
        <span>{edgeTime(from + stepMs * (steps - 1), false)}</span>
      </div>
    </figure>
  )
}

const barsPath = (below: readonly Bars[], { counts }: Bars, { wide, top }: { wide: number; top: number }): string =>
  counts
    .map((count, step) => {
      if (count === 0) return ''
      const from = below.reduce((sum, one) => sum + (one.counts[step] ?? 0), 0)
      const y = (value: number): number => Math.round((height - (value / top) * height) * 10) / 10
      const left = Math.round((step + 0.12) * wide * 10) / 10
      const right = Math.round((step + 0.88) * wide * 10) / 10
      return `M${left} ${y(from)}V${y(from + count)}H${right}V${y(from)}Z`
    })
    .join('')
