import { useState } from 'preact/hooks'
import type { WireError } from '../../../../schemas/errors.ts'
import { batchText, listText } from '../../deployments/words.ts'
import { countText, plural } from '../../format/amounts.ts'
import { Button } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { type Preview, readPreview } from './read-preview.ts'

interface PreviewCardProps {
  preview: Preview | null
  error: WireError | null
  /** What is said in its place, as long as something has to be said first. */
  lacks: string | null
  isLoading: boolean
}

/** Which devices get it in which batch, and which do not, and why. */
export const PreviewCard = ({ preview, error, lacks, isLoading }: PreviewCardProps) => (
  <Card
    title="Who gets it"
    aside={isLoading && !lacks && (preview || error) ? <span class="spinner" role="status" aria-label="Checking" /> : undefined}
  >
    {lacks !== null ? (
      <p class="muted">{lacks}</p>
    ) : error?.code === 'no_match' ? (
      <p class="preview-says tone-warn" role="status">
        <Icon name="warning" />
        <Plain text={error.message} />
      </p>
    ) : error ? (
      <Fault error={error} />
    ) : preview ? (
      <Devices preview={preview} />
    ) : (
      <Skeleton lines={3} />
    )}
  </Card>
)

const first = 8
const namesInSight = 6

const Devices = ({ preview }: { preview: Preview }) => {
  const { says, isGood, batches, getting, away, others, otherCount, unlisted } = readPreview(preview)
  const [isAll, setAll] = useState(false)
  return (
    <>
      <p class={isGood ? 'preview-says tone-good' : 'preview-says tone-warn'} role="status">
        <Icon name={isGood ? 'check' : 'warning'} />
        {says}
      </p>
      {batches.length > 0 && (
        <ol class="preview-list" tabIndex={isAll ? 0 : undefined}>
          {batches.slice(0, isAll ? undefined : first).map(({ batch, devices }) => (
            <li key={batch}>
              <strong>{batchText(batch)}</strong>
              <span class="preview-names">
                <Plain text={listText(devices, namesInSight)} />
              </span>
            </li>
          ))}
        </ol>
      )}
      {batches.length > first && !isAll && (
        <Button
          small
          onClick={() => setAll(true)}
        >{`Show ${plural(batches.length - first, 'more batch', 'more batches')}`}</Button>
      )}
      {unlisted > 0 && <p class="muted">{`and ${plural(unlisted, 'more device')}`}</p>}
      {away > 0 && getting > 0 && (
        <p class="muted">
          {`${countText(away)} of them ${away === 1 ? 'is away: it gets it when it is' : 'are away: they get it when they are'} back.`}
        </p>
      )}
      {otherCount > 0 && (
        <details class="preview-others">
          <summary>{`${plural(otherCount, getting === 0 ? 'device does' : 'other device does', getting === 0 ? 'devices do' : 'other devices do')} not`}</summary>
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
          {otherCount > others.length && <p class="muted">{`and ${countText(otherCount - others.length)} more`}</p>}
        </details>
      )}
    </>
  )
}
