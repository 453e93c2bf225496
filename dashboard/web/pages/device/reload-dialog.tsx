import type { ReloadDiff } from '../../../../schemas/workload-status.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'

interface ReloadDialogProps {
  device: string
  diff: ReloadDiff
  onClose: () => void
}

/** What became of each workload when the files were read again. */
export const ReloadDialog = ({ device, diff, onClose }: ReloadDialogProps) => {
  const isSame = diff.added.length + diff.removed.length + diff.restarted.length === 0
  return (
    <Dialog
      title={isSame ? `Nothing has changed on ${device}` : `${device} has read its files again`}
      onClose={onClose}
      actions={
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <KeyValues
        facts={[
          ['Added', names(diff.added)],
          ['Removed', names(diff.removed)],
          ['Restarted', names(diff.restarted)],
          ['As they were', names(diff.unchanged)],
        ]}
      />
    </Dialog>
  )
}

const names = (all: readonly string[]) => (all.length === 0 ? null : <Plain text={all.join(', ')} />)
