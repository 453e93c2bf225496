import { type Series, tidy } from '../../charts/scale.ts'
import { Sparkline } from '../../charts/sparkline.tsx'

interface MeterProps {
  label: string
  value: number | null
  series: Series | undefined
}

/** A share of a hundred now, and its last hour. */
export const Meter = ({ label, value, series }: MeterProps) => {
  const tone = value === null || value < 80 ? '' : value < 95 ? 'tone-warn' : 'tone-bad'
  return (
    <span class={`meter ${tone}`}>
      <span class="meter-line">{series && <Sparkline label={`${label} of the last hour`} series={series} />}</span>
      <span class="meter-value number">
        <span class="meter-label">{label} </span>
        {value === null ? '–' : `${tidy(value)} %`}
      </span>
    </span>
  )
}
