import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { Run, Task } from '../../../../schemas/task.ts'
import { newKey } from '../../api/new-key.ts'
import { useAction, useApi } from '../../api/use-ask.ts'
import { plural } from '../../format/amounts.ts'
import { isOver } from '../../format/task-states.ts'
import { whatOf } from '../../format/what.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { useToast } from '../../parts/toast.tsx'
import { useSession } from '../../session/session.ts'

interface ActionsProps {
  task: Task
  runs: readonly Run[]
  onChanged: () => void
}

/** What can be done about a task, by those who may. */
export const Actions = ({ task, runs, onChanged }: ActionsProps) => {
  const { mayAct } = useSession()
  const [isAsking, setAsking] = useState(false)
  const ask = useApi()
  const toast = useToast()
  const { route } = useLocation()
  const path = `/tasks/${task.task_id}`
  const cancel = useAction(
    () => ask<Task>('POST', `${path}/cancel`),
    () => {
      setAsking(false)
      onChanged()
    },
  )
  // An answer may be lost: who presses again before another task is shown means the same.
  const [key] = useState(newKey)
  const again = useAction(
    () => ask<Task>('POST', `${path}/retry`, { idempotency_key: key }),
    (next) => {
      toast('good', 'It was submitted once more')
      route(`/tasks/${next.task_id}`)
    },
  )
  if (!mayAct) return null
  if (!isOver(task.state))
    return (
      <>
        <LinkButton href={`/tasks/new?from=${task.task_id}`}>Copy to a new task</LinkButton>
        <Button kind="danger" icon="stop" onClick={() => setAsking(true)} disabled={task.cancel_requested_at !== null}>
          {task.cancel_requested_at === null ? 'Cancel' : 'Being cancelled'}
        </Button>
        {isAsking && (
          <Confirm
            title="Cancel this task?"
            verb="Cancel the task"
            dismiss="Leave it"
            danger
            busy={cancel.isBusy}
            error={cancel.error}
            onConfirm={() => void cancel.run()}
            onClose={() => setAsking(false)}
          >
            <p class="muted">
              <Plain text={whatOf(task)} />
            </p>
            <p>{whatFollows(task, runs)} It cannot be taken back, but it can be run again.</p>
          </Confirm>
        )}
      </>
    )
  return (
    <>
      {again.error && <Fault error={again.error} />}
      <LinkButton href={`/tasks/new?from=${task.task_id}`}>Edit and run again</LinkButton>
      <Button kind="primary" icon="refresh" busy={again.isBusy} onClick={() => void again.run()}>
        Run again
      </Button>
    </>
  )
}

const whatFollows = (task: Task, runs: readonly Run[]): string => {
  const running = runs.filter((run) => !isOver(run.state))
  const [first] = running
  if (!first) return 'It has not begun, and never will.'
  const where = running.length > 1 ? `on ${plural(running.length, 'device')}` : `on ${first.device}`
  if (task.payload.prompt !== undefined || task.payload.recipe !== undefined)
    return `The agent ${where} is asked to stop, and ended with all that it has started if it does not.`
  const grace = task.options.stop_grace_seconds ?? 10
  return `What runs ${where} is told to end, and ended by force if it has not after ${grace} s.`
}
