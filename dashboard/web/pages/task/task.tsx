import type { WireError } from '../../../../schemas/errors.ts'
import type { Task } from '../../../../schemas/task.ts'
import { RunConversation } from '../../agent/run-conversation.tsx'
import { isOver } from '../../format/task-states.ts'
import { targetWords, whatOf } from '../../format/what.ts'
import { RunLog } from '../../log/run-log.tsx'
import type { PageProps } from '../../page.ts'
import { LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { KeyValues } from '../../parts/key-values.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { Tabs } from '../../parts/tabs.tsx'
import { Time } from '../../parts/time.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { Actions } from './actions.tsx'
import { Details } from './details.tsx'
import { Facts } from './facts.tsx'
import { HistoryCard } from './history.tsx'
import { Runs } from './runs.tsx'
import { type ShownTask, useTask } from './use-task.ts'
import './task.css'

/** A task: how it stands, what it writes and does, and what can be done about it. */
export const TaskPage = ({ params }: PageProps) => {
  const taskId = params['task'] ?? ''
  const { shown, error, isLoading, more, refresh } = useTask(taskId)
  if (shown) return <Whole {...{ shown, error, isLoading }} onMore={more} onChanged={refresh} />
  return (
    <>
      <PageHead title={taskId} up={{ href: '/tasks', label: 'Tasks' }} />
      {error === null ? (
        <Skeleton lines={10} />
      ) : error.code === 'not_found' || error.code === 'invalid' ? (
        <Empty icon="question" title="There is no such task">
          <p>It may have been removed, because it was old.</p>
          <LinkButton href="/tasks">To the tasks</LinkButton>
        </Empty>
      ) : (
        <Fault error={error} onRetry={refresh} />
      )}
    </>
  )
}

interface WholeProps {
  shown: ShownTask
  /** Why it may not be as it is now. */
  error: WireError | null
  isLoading: boolean
  onMore: () => void
  onChanged: () => void
}

const tabs = [
  { id: 'agent', label: 'Agent' },
  { id: 'log', label: 'Log' },
  { id: 'details', label: 'Details' },
] as const

const Whole = ({ shown, error, isLoading, onMore, onChanged }: WholeProps) => {
  const { task, runs, history, hasMore } = shown
  const { query, hrefWith } = useQuery()
  const isWide = task.target.fanout === 'all' && runs.length > 1
  const run = runs.find((one) => one.run_id === query['run']) ?? (isWide ? undefined : runs.at(-1))
  const isAgents = task.payload.prompt !== undefined || task.payload.recipe !== undefined
  const shownTabs = tabs.filter((tab) => tab.id !== 'agent' || isAgents)
  const tab = shownTabs.find((one) => one.id === query['tab'])?.id ?? shownTabs[0]?.id ?? 'log'
  return (
    <>
      <PageHead
        title={whatOf(task, 64)}
        up={{ href: '/tasks', label: 'Tasks' }}
        beside={<State state={task.state} />}
        actions={<Actions key={task.task_id} task={task} runs={runs} onChanged={onChanged} />}
      >
        <Line task={task} />
      </PageHead>
      {error && <Fault error={error} onRetry={onChanged} />}
      <Facts task={task} run={run} />
      {(runs.length > 1 || hasMore) && (
        <Runs
          {...{ runs, hasMore, isLoading, onMore }}
          chosen={run?.run_id}
          isFanout={isWide}
          hrefOf={(one) => hrefWith({ run: one })}
        />
      )}
      <div class="task-parts">
        <div class="task-main">
          <Tabs label="Parts of the task" tabs={shownTabs} selected={tab} hrefOf={(id) => hrefWith({ tab: id })} />
          {tab === 'details' ? (
            <Details task={task} />
          ) : run ? (
            tab === 'agent' ? (
              <RunConversation key={run.run_id} task={task} run={run} />
            ) : (
              <RunLog key={run.run_id} run={run} />
            )
          ) : (
            <NoRun task={task} isWide={isWide} />
          )}
        </div>
        <aside class="task-aside">
          <HistoryCard history={history} run={run?.run_id} isWide={isWide} />
          <About task={task} />
        </aside>
      </div>
    </>
  )
}

/** What is said below the title: why it is as it is. */
const Line = ({ task }: { task: Task }) =>
  task.reason !== null ? (
    <Plain text={task.reason} />
  ) : task.cancel_requested_at !== null && !isOver(task.state) ? (
    <span>It is being cancelled.</span>
  ) : null

const NoRun = ({ task, isWide }: { task: Task; isWide: boolean }) =>
  isWide ? (
    <Empty icon="fleet" title="It runs on several devices">
      <p>Choose one of them above to see what it does there.</p>
    </Empty>
  ) : isOver(task.state) ? (
    <Empty icon="stop" title="It never ran" />
  ) : (
    <Empty icon="clock" title="It has not begun yet">
      {task.reason !== null && <Plain text={task.reason} />}
    </Empty>
  )

const About = ({ task }: { task: Task }) => {
  const again = task['retry_of']
  return (
    <Card title="About">
      <KeyValues
        facts={[
          ['Task', <Plain key="id" text={task.task_id} mono />],
          ['By', <Plain key="by" text={task.requested_by} />],
          ['Submitted', <Time key="at" at={task.created_at} />],
          ['Target', <Plain key="to" text={targetWords(task.target)} />],
          ['Priority', task.priority],
          ['Type', task.type],
          ['Tags', task.tags.length === 0 ? undefined : <Plain key="tags" text={task.tags.join(', ')} />],
          ['Once more', typeof again !== 'string' ? undefined : <a href={`/tasks/${again}`}>of an earlier task</a>],
        ]}
      />
    </Card>
  )
}
