import { msOf } from '../format/relative-time.ts'
import { useTicking } from '../parts/time.tsx'
import { forecastText } from './words.ts'

/** How long it will take yet, if that is known. */
export const Forecast = ({ at }: { at: string | number | null }) => {
  const end = msOf(at)
  const text = useTicking((now) => (end === null ? '' : forecastText(end - now)))
  return end === null ? null : <span class="number">{text}</span>
}
