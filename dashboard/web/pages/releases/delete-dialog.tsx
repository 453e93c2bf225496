import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Release } from '../../../../schemas/release.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { refOf } from '../../deployments/release-ref.ts'
import { bytesText } from '../../format/amounts.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Plain } from '../../parts/plain.tsx'
import { useToast } from '../../parts/toast.tsx'

interface DeleteDialogProps {
  release: Release
  onClose: () => void
  onDeleted: () => void
}

/** Asks before a release is deleted, and says what that means. */
export const DeleteDialog = ({ release, onClose, onDeleted }: DeleteDialogProps) => {
  const ask = useApi()
  const toast = useToast()
  const ref = refOf(release)
  const path = `/releases/${encodeURIComponent(release.name)}/${encodeURIComponent(release.version)}`
  const { run, isBusy, error } = useAction(
    () => ask<OutputOf<'release.delete'>>('DELETE', path),
    () => {
      toast('good', `${ref} was deleted`)
      onDeleted()
    },
  )
  return (
    <Confirm
      title={
        <>
          Delete <Plain text={ref} />?
        </>
      }
      verb="Delete"
      danger
      busy={isBusy}
      error={error}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>
        It can be rolled out no more, and its {bytesText(release.bundle.size)} are freed if no other release has the same content.
      </p>
      <p>While a device runs it, or may have to go back to it, it is not deleted.</p>
    </Confirm>
  )
}
