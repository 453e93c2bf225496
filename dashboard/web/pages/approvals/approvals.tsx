import { useEffect, useRef, useState } from 'preact/hooks'
import type { Approval } from '../../../../schemas/approval-operations.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { AnswerDialog } from '../../agent/answer-dialog.tsx'
import { ApprovalCard } from '../../agent/approval-card.tsx'
import { useAsk } from '../../api/use-ask.ts'
import { plural } from '../../format/amounts.ts'
import { useLive } from '../../live/use-live.ts'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import '../../agent/agent.css'
import './approvals.css'

/** What agents wait for, and what was decided lately. */
export const ApprovalsPage = () => {
  const { data, error } = useLive({ view: 'approvals' })
  const { mayAct } = useSession()
  const pending = data?.pending ?? []
  const decided = useAsk<OutputOf<'approval.list'>>('/approvals?state=approved,rejected,expired,withdrawn&limit=20')
  const { list, answering, chosen, close } = useKeys(pending, mayAct)
  // What waits no more was decided.
  const ids = pending.map((one) => one.approval).join(' ')
  const { refresh } = decided
  useEffect(() => refresh(), [ids, refresh])
  const past = decided.data?.approvals ?? []
  return (
    <>
      <PageHead title="Approvals">
        {pending.length > 0 && (
          <span>
            {plural(pending.length, 'agent waits', 'agents wait')} for an answer.{' '}
            {mayAct && (
              <span class="approvals-keys">
                <kbd>j</kbd> <kbd>k</kbd> choose, <kbd>a</kbd> approves, <kbd>x</kbd> rejects.
              </span>
            )}
          </span>
        )}
      </PageHead>
      {error && <Fault error={error} />}
      {!data ? (
        <Skeleton lines={5} />
      ) : pending.length === 0 ? (
        <Empty icon="approvals" title="Nothing waits for approval">
          <p>An agent asks here before it uses a tool, if its task says so.</p>
        </Empty>
      ) : (
        <ol class="approvals" ref={list}>
          {pending.map((approval, index) => (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys act on the one that has the focus
            <li key={approval.approval} tabIndex={0} data-approval={index}>
              <ApprovalCard approval={approval}>
                <p class="approvals-from">
                  <a href={`/fleet/${approval.device}`}>
                    <Plain text={approval.device} cut />
                  </a>
                  {approval.task_id !== null && (
                    <a href={`/tasks/${approval.task_id}?run=${approval.run_id}&tab=agent`}>Its conversation</a>
                  )}
                  <span class="muted">
                    asked <Time at={approval.requested_at} />
                  </span>
                </p>
              </ApprovalCard>
            </li>
          ))}
        </ol>
      )}
      {decided.error && <Fault error={decided.error} onRetry={decided.refresh} />}
      {past.length > 0 && (
        <Card title="Decided lately" flush>
          <Table caption="Decided lately" columns={columns} rows={past} rowKey={(one) => one.approval} />
        </Card>
      )}
      {answering && chosen && <AnswerDialog how={answering} approval={chosen} onClose={close} onAnswered={decided.refresh} />}
    </>
  )
}

/** Choosing by `j` and `k` or arrows, and answering the one that has the focus. */
const useKeys = (pending: readonly Approval[], mayAct: boolean) => {
  const list = useRef<HTMLOListElement>(null)
  const [answer, setAnswer] = useState<{ how: 'approve' | 'reject'; approval: Approval } | null>(null)
  const latest = useRef(pending)
  latest.current = pending
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const { target } = event
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]'))
        return
      if (target instanceof HTMLElement && target.matches('input, textarea, select')) return
      const items = [...(list.current?.querySelectorAll<HTMLElement>('[data-approval]') ?? [])]
      const at = items.findIndex((item) => item.contains(document.activeElement))
      const by = event.key === 'j' || event.key === 'ArrowDown' ? 1 : event.key === 'k' || event.key === 'ArrowUp' ? -1 : 0
      if (by !== 0 && items.length > 0) {
        event.preventDefault()
        return items[Math.max(0, Math.min(items.length - 1, at + by))]?.focus()
      }
      const approval = latest.current[at]
      if (!approval || !mayAct || approval.answer !== null || (event.key !== 'a' && event.key !== 'x')) return
      event.preventDefault()
      setAnswer({ how: event.key === 'a' ? 'approve' : 'reject', approval })
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [mayAct])
  return { list, answering: answer?.how, chosen: answer?.approval, close: () => setAnswer(null) }
}

const columns: readonly Column<Approval>[] = [
  {
    title: 'What',
    wide: true,
    cell: (one) => (
      <span class="approvals-what">
        {one.task_id === null ? (
          <Plain text={one.title || one.tool} cut />
        ) : (
          <a href={`/tasks/${one.task_id}?run=${one.run_id}&tab=agent`} data-row>
            <Plain text={one.title || one.tool} cut />
          </a>
        )}
        {one.reason !== null && one.reason !== '' && (
          <span class="muted">
            <Plain text={one.reason} cut />
          </span>
        )}
      </span>
    ),
  },
  { title: 'Answer', cell: (one) => <State state={one.state} /> },
  { title: 'By', cell: (one) => (one.by === null ? <span class="muted">–</span> : <Plain text={one.by} cut />) },
  {
    title: 'Device',
    cell: (one) => (
      <a href={`/fleet/${one.device}`}>
        <Plain text={one.device} cut />
      </a>
    ),
  },
  {
    title: 'When',
    align: 'right',
    cell: (one) => <Time at={one.decided_at ?? (one.state === 'expired' ? one.expires_at : one.requested_at)} />,
  },
]
