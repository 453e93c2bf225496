import { areaPath, describeSeries, linePath, type Series } from './scale.ts'

interface SparklineProps {
  label: string
  series: Series
  /** The top of the field. */
  top?: number
  unit?: string
}

const field = { width: 100, height: 24 }

/** A line the size of a word. */
export const Sparkline = ({ label, series, top = 100, unit = ' %' }: SparklineProps) => (
  <svg
    class="sparkline"
    viewBox="0 -1 100 26"
    preserveAspectRatio="none"
    role="img"
    aria-label={describeSeries(label, series, unit)}
  >
    <path class="chart-area" d={areaPath(series, { ...field, top })} />
    <path class="chart-line" d={linePath(series, { ...field, top })} />
  </svg>
)
