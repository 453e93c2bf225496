import type { Task } from '../../../../schemas/task.ts'
import { plural } from '../../format/amounts.ts'
import { whatOf } from '../../format/what.ts'
import { Button, LinkButton } from '../../parts/button.tsx'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Paging } from '../../parts/paging.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Since, Time } from '../../parts/time.tsx'
import { useSession } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { useQuery } from '../../shell/query.ts'
import { TaskFilters } from './filters.tsx'
import { isFiltered, readFilters } from './task-query.ts'
import { useTasks } from './use-tasks.ts'
import './tasks.css'

/** All tasks, newest first, as they are now. */
export const TasksPage = () => {
  const { mayAct } = useSession()
  const { query, setQuery } = useQuery()
  const filters = readFilters(query)
  const { rows, fresh, hasMore, isLoading, error, more, anew } = useTasks(filters)
  const newTask = mayAct && (
    <LinkButton kind="primary" icon="plus" href="/tasks/new">
      New task
    </LinkButton>
  )
  return (
    <>
      <PageHead title="Tasks" actions={newTask} />
      <TaskFilters filters={filters} setQuery={setQuery} />
      {error && <Fault error={error} onRetry={anew} />}
      {fresh > 0 && (
        <div class="task-fresh">
          <Button kind="primary" small icon="up" onClick={anew}>
            {fresh >= 50 ? '50 or more new tasks' : plural(fresh, 'new task')}
          </Button>
        </div>
      )}
      {!rows ? (
        !error && <Skeleton lines={12} />
      ) : rows.length === 0 ? (
        isFiltered(filters) ? (
          <Empty icon="search" title="No task fits">
            <LinkButton href="/tasks">Show all tasks</LinkButton>
          </Empty>
        ) : (
          <Empty icon="tasks" title="There are no tasks yet">
            <p>A task is work that is done once: a command, a script, or what an agent is asked to do.</p>
            {newTask}
          </Empty>
        )
      ) : (
        <Card flush>
          <Table caption="Tasks" columns={columns} rows={rows} rowKey={(task) => task.task_id} />
          <Paging shown={plural(rows.length, 'task')} hasMore={hasMore} isLoading={isLoading} onMore={more} />
        </Card>
      )}
    </>
  )
}

const columns: readonly Column<Task>[] = [
  {
    title: 'What',
    wide: true,
    cell: (task) => (
      <a class="task-what" href={`/tasks/${task.task_id}`} data-row>
        <Plain text={whatOf(task)} cut />
      </a>
    ),
  },
  { title: 'State', cell: (task) => <TaskState task={task} /> },
  {
    title: 'Device',
    cell: (task) =>
      task.target.fanout === 'all' ? (
        <span class="muted">several</span>
      ) : task.device === null ? (
        <span class="muted">–</span>
      ) : (
        <a class="task-device" href={`/fleet/${task.device}`}>
          <Plain text={task.device} cut />
        </a>
      ),
  },
  {
    title: 'Attempts',
    align: 'right',
    cell: (task) => <span class={task.attempt > 1 ? 'number' : 'number muted task-once'}>{task.attempt || '–'}</span>,
  },
  { title: 'Exit', align: 'right', cell: (task) => <span class="number">{task.exit_code ?? <span class="muted">–</span>}</span> },
  { title: 'Took', align: 'right', cell: (task) => <Since from={task.started_at} to={task.ended_at} /> },
  { title: 'By', cell: (task) => <Plain text={task.requested_by} cut /> },
  { title: 'Submitted', align: 'right', cell: (task) => <Time at={task.created_at} /> },
]

/** The state, and why, as far as there is room. */
const TaskState = ({ task }: { task: Task }) => (
  <span class="task-state">
    <State state={task.state} title={task.reason} />
    {task.reason !== null && task.state !== 'succeeded' && (
      <span class="task-reason muted">
        <Plain text={task.reason} cut />
      </span>
    )}
  </span>
)
