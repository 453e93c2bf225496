import { Plain } from './plain.tsx'

/** Labels of a device, as `key=value`. */
export const Labels = ({ labels, most }: { labels: Readonly<Record<string, string>>; most?: number }) => {
  const all = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
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
