import { useState } from 'preact/hooks'
import type { Approval } from '../../../schemas/approval-operations.ts'
import { useAction, useApi } from '../api/use-ask.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { Form } from '../parts/form.tsx'
import { Plain } from '../parts/plain.tsx'

interface AnswerDialogProps {
  how: 'approve' | 'reject'
  approval: Pick<Approval, 'approval' | 'tool' | 'title'>
  onClose: () => void
  onAnswered: (approval: Approval) => void
}

/** Answers an agent, with a reason that is kept with its run. */
export const AnswerDialog = ({ how, approval, onClose, onAnswered }: AnswerDialogProps) => {
  const ask = useApi()
  const [reason, setReason] = useState('')
  const answer = useAction(
    () => {
      const body = reason.trim() === '' ? {} : { reason: reason.trim() }
      return ask<Approval>('POST', `/approvals/${encodeURIComponent(approval.approval)}/${how}`, body)
    },
    (answered) => {
      onAnswered(answered)
      onClose()
    },
  )
  const isYes = how === 'approve'
  return (
    <Dialog title={isYes ? 'Let it do this?' : 'Do not let it do this?'} onClose={onClose}>
      <Form onSubmit={() => void answer.run()} error={answer.error} fields={['reason']}>
        <p>
          <strong>
            <Plain text={approval.tool} />
          </strong>{' '}
          <Plain text={approval.title} />
        </p>
        <p class="muted">{isYes ? 'The agent does it at once.' : 'The agent goes on without it.'}</p>
        <TextField
          label="Reason"
          hint="Kept with its run. May be left empty."
          value={reason}
          onInput={setReason}
          autocomplete="off"
        />
        <div class="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={isYes ? 'primary' : 'danger'} busy={answer.isBusy}>
            {isYes ? 'Approve' : 'Reject'}
          </Button>
        </div>
      </Form>
    </Dialog>
  )
}
