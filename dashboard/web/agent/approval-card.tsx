import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Approval } from '../../../schemas/approval-operations.ts'
import { useAction, useApi } from '../api/use-ask.ts'
import { durationText } from '../format/amounts.ts'
import { msOf } from '../format/relative-time.ts'
import { Button } from '../parts/button.tsx'
import { Fault } from '../parts/fault.tsx'
import { Icon } from '../parts/icon.tsx'
import { Plain } from '../parts/plain.tsx'
import { useTicking } from '../parts/time.tsx'
import { useSession } from '../session/session.ts'
import { AnswerDialog } from './answer-dialog.tsx'
import { readableValue } from './summary.ts'

interface ApprovalCardProps {
  approval: Pick<Approval, 'approval' | 'tool' | 'title' | 'input' | 'expires_at'> & { answer?: Approval['answer'] }
  /** Where it comes from. */
  children?: ComponentChildren
}

/** What an agent waits for: what it wants to do, how long it waits, and the two answers for those who may give them. */
export const ApprovalCard = ({ approval, children }: ApprovalCardProps) => {
  const { mayAct } = useSession()
  const ask = useApi()
  const [answer, setAnswer] = useState<Approval['answer']>(null)
  const [isRejecting, setRejecting] = useState(false)
  const approve = useAction(
    () => ask<Approval>('POST', `/approvals/${encodeURIComponent(approval.approval)}/approve`, {}),
    ({ answer }) => setAnswer(answer),
  )
  const said = answer ?? approval.answer ?? null
  const input = readableValue(approval.input ?? '')
  return (
    <div class="approval">
      <p class="approval-head">
        <Icon name="approvals" size={18} />
        <strong>
          <Plain text={approval.tool || 'a tool'} />
        </strong>
        <TimeLeft until={approval.expires_at} />
      </p>
      {approval.title !== '' && approval.title !== approval.tool && <Plain text={approval.title} lines />}
      {input !== '' && (
        <pre class="talk-text">
          <Plain text={input} lines mono />
        </pre>
      )}
      {children}
      {said !== null ? (
        <p class="muted" role="status">{`${said === 'approved' ? 'Approved' : 'Rejected'}; the device is being told.`}</p>
      ) : (
        mayAct && (
          <div class="approval-answers">
            <Button kind="primary" icon="check" busy={approve.isBusy} onClick={() => void approve.run()}>
              Approve
            </Button>
            <Button kind="danger" icon="cross" onClick={() => setRejecting(true)}>
              Reject…
            </Button>
          </div>
        )
      )}
      {approve.error && <Fault error={approve.error} />}
      {isRejecting && (
        <AnswerDialog
          how="reject"
          approval={approval}
          onClose={() => setRejecting(false)}
          onAnswered={({ answer }) => setAnswer(answer)}
        />
      )}
    </div>
  )
}

/** How long there still is to answer. */
export const TimeLeft = ({ until }: { until: string }) => {
  const end = msOf(until) ?? 0
  const text = useTicking((now) => (end <= now ? 'its time is over' : `${durationText(Math.round((end - now) / 1000))} left`))
  return <span class="approval-left muted number">{text}</span>
}
