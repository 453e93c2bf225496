import { orderedLabels } from '../format/label-order.ts'
import { Plain } from './plain.tsx'

/** Labels of a device, as `key=value`: those that tell devices apart come first. */
export const Labels = ({ labels, most }: { labels: Readonly<Record<string, string>>; most?: number }) => {
  const all = orderedLabels(labels)
  const shown = all.slice(0, most)
  return (
    <span class="labels">
      {shown.map(([key, value]) => (
        <span key={key} class="label">
          <Plain text={value === '' ? key : `${key}=${value}`} cut />
        </span>
      ))}
      {all.length > shown.length && <span class="muted">+{all.length - shown.length}</span>}
    </span>
  )
}
