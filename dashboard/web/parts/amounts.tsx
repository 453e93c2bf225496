import { bytesText, durationText } from '../format/amounts.ts'

/** A duration. */
export const Duration = ({ seconds }: { seconds: number | null | undefined }) => (
  <span class={seconds === null || seconds === undefined ? 'number none' : 'number'}>
    {seconds === null || seconds === undefined ? '–' : durationText(seconds)}
  </span>
)

/** A size. */
export const Bytes = ({ bytes }: { bytes: number | null | undefined }) => (
  <span class="number" title={bytes === null || bytes === undefined ? undefined : `${bytes.toLocaleString('en')} bytes`}>
    {bytes === null || bytes === undefined ? '–' : bytesText(bytes)}
  </span>
)

interface PercentProps {
  /** What it is a share of: `CPU`. */
  label: string
  value: number | null
  /** From here on it is worth a look, and from there on more than that. */
  warn?: number
  bad?: number
}

/** A share of a hundred, as a bar and a number. */
export const Percent = ({ label, value, warn = 80, bad = 95 }: PercentProps) => {
  const tone = value === null || value < warn ? '' : value < bad ? 'tone-warn' : 'tone-bad'
  return (
    <span class={`percent ${tone}`}>
      <span class="percent-bar" role="img" aria-label={value === null ? `${label}: not known` : `${label}: ${value} %`}>
        <span style={{ width: `${Math.max(0, Math.min(100, value ?? 0))}%` }} />
      </span>
      <span class="number" aria-hidden="true">
        {value === null ? '–' : `${value} %`}
      </span>
    </span>
  )
}
