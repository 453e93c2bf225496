import { useState } from 'preact/hooks'
import type { WireError } from '../../../../schemas/errors.ts'
import { plural } from '../../format/amounts.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import type { Preview } from './use-preview.ts'

const first = 8

interface PreviewProps {
  preview: Preview | null
  error: WireError | null
  /** The fields say what is wrong. */
  isMarked: boolean
  isLoading: boolean
}

/** Which devices would take the task, and why the others would not. */
export const PreviewCard = ({ preview, error, isMarked, isLoading }: PreviewProps) => (
  <Card
    title="Where it would run"
    aside={isLoading && (preview || error) ? <span class="spinner" role="status" aria-label="Checking" /> : undefined}
  >
    {isMarked ? (
      <p class="muted">That shows when what is marked is right.</p>
    ) : error ? (
      <Fault error={error} />
    ) : preview ? (
      <Devices preview={preview} />
    ) : (
      <Skeleton lines={3} />
    )}
  </Card>
)

const Devices = ({ preview }: { preview: Preview }) => {
  const { says, acceptable, matching, matching_count, others, other_count } = preview
  const [isAll, setAll] = useState(false)
  return (
    <>
      <p class={acceptable ? 'preview-says tone-good' : 'preview-says tone-warn'} role="status">
        <Icon name={acceptable ? 'check' : 'warning'} />
        <Plain text={says} />
      </p>
      {matching.length > 0 && (
        <ul class="preview-list" tabIndex={isAll ? 0 : undefined}>
          {matching.slice(0, isAll ? undefined : first).map(({ device, state, waits }) => (
            <li key={device}>
              <Plain text={device} cut />
              {state !== 'online' && <State state={state} />}
              <span class="muted">{waits === null ? 'at once' : <Plain text={waits} />}</span>
            </li>
          ))}
        </ul>
      )}
      {matching_count > first && (
        <p class="muted">
          {isAll ? (
            matching_count > matching.length && `and ${plural(matching_count - matching.length, 'more device')}`
          ) : (
            <Button small onClick={() => setAll(true)}>{`Show ${plural(matching_count - first, 'more device')}`}</Button>
          )}
        </p>
      )}
      {other_count > 0 && (
        <details class="preview-others">
          <summary>{`${plural(other_count, matching_count === 0 ? 'device' : 'other device')} would not`}</summary>
          <ul class="preview-list" tabIndex={others.length > first ? 0 : undefined}>
            {others.map(({ device, why }) => (
              <li key={device}>
                <Plain text={device} cut />
                <span class="muted">
                  <Plain text={why} />
                </span>
              </li>
            ))}
          </ul>
          {other_count > others.length && <p class="muted">{`and ${plural(other_count - others.length, 'more', 'more')}`}</p>}
        </details>
      )}
    </>
  )
}
