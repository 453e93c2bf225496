import type { AgentResult } from '../../../schemas/agent.ts'
import type { Run, Task } from '../../../schemas/task.ts'
import { bytesText, plural } from '../format/amounts.ts'
import { wordOf } from '../format/states.ts'
import { LinkButton } from '../parts/button.tsx'
import { Card } from '../parts/card.tsx'
import { Plain } from '../parts/plain.tsx'
import { Badge } from '../parts/state.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { useSession } from '../session/session.ts'
import type { Item } from './conversation.ts'
import { stopWords } from './stop-words.ts'

interface ResultProps {
  result: AgentResult
  run: Run
  task: Task
  /** What the conversation ends with: an answer that stands there already is not said again. */
  last: Item | undefined
}

/** How an agent has ended, and what it left. */
export const Result = ({ result, run, task, last }: ResultProps) => {
  const { mayAct } = useSession()
  const isDone = result.stop_reason === 'completed'
  const isSaid = last?.kind === 'message' && last.text.trim() === result.text.trim()
  return (
    <Card
      title="How it ended"
      aside={
        <Badge tone={isDone ? 'good' : 'bad'} icon={isDone ? 'check' : 'cross'}>
          {wordOf(result.stop_reason)}
        </Badge>
      }
    >
      <p>{stopWords(result.stop_reason)}</p>
      {result.text !== '' && !isSaid && <Plain text={result.text} lines />}
      {run.reason !== null && !isDone && run.reason !== result.stop_reason && (
        <p class="muted">
          <Plain text={run.reason} />
        </p>
      )}
      {result.artifacts.length > 0 && (
        <div>
          <h3>{plural(result.artifacts.length, 'file')} left behind</h3>
          <p class="muted">
            On <Plain text={run.device} />, in the folder <Plain text={`artifacts/${run.run_id}`} mono /> of its data, for 30
            days.
          </p>
          <Table caption="Files left behind" columns={columns} rows={result.artifacts} rowKey={(file) => file.path} />
        </div>
      )}
      {result.session !== null && (
        <div class="bar">
          <span class="muted">The conversation is kept on the device for a week.</span>
          {mayAct && (
            <LinkButton small href={`/tasks/new?from=${task.task_id}&session=${run.run_id}`}>
              Go on with it
            </LinkButton>
          )}
        </div>
      )}
    </Card>
  )
}

const columns: readonly Column<AgentResult['artifacts'][number]>[] = [
  { title: 'Path', wide: true, cell: (file) => <Plain text={file.path} cut mono /> },
  { title: 'Size', align: 'right', cell: (file) => <span class="number">{bytesText(file.size)}</span> },
  {
    title: 'SHA-256',
    cell: (file) => (
      <span class="result-sum">
        <Plain text={file.sha256} cut mono />
      </span>
    ),
  },
]
