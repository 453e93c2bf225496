import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { TextField } from './field.tsx'
import { Form } from './form.tsx'

interface ConfirmProps {
  title: ComponentChildren
  /** What will be done, and what follows from it. */
  children: ComponentChildren
  /** The verb of what is done: `Remove`. */
  verb: string
  danger?: boolean
  /** What is said in place of "Cancel", where that would be understood as the verb. */
  dismiss?: string
  /** What has to be typed before it can be done. */
  typed?: string
  busy: boolean
  error: WireError | null
  onConfirm: () => void
  onClose: () => void
}

/** Asks before something is done, and says what that is. */
export const Confirm = ({
  title,
  children,
  verb,
  danger,
  dismiss = 'Cancel',
  typed,
  busy,
  error,
  onConfirm,
  onClose,
}: ConfirmProps) => {
  const [text, setText] = useState('')
  return (
    <Dialog title={title} onClose={onClose}>
      <Form onSubmit={() => (typed === undefined || text === typed) && onConfirm()} error={error}>
        <div class="prose">{children}</div>
        {typed !== undefined && (
          <TextField
            label={
              <>
                Type <bdi class="mono">{typed}</bdi> to go on
              </>
            }
            value={text}
            onInput={setText}
            autocomplete="off"
            mono
          />
        )}
        <div class="dialog-actions">
          <Button onClick={onClose}>{dismiss}</Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} busy={busy} disabled={typed !== undefined && text !== typed}>
            {verb}
          </Button>
        </div>
      </Form>
    </Dialog>
  )
}
