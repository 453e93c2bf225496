import { useEffect, useRef } from 'preact/hooks'
import type { OutputOf } from '../../../../schemas/operations.ts'
import type { Task } from '../../../../schemas/task.ts'
import { withQuery } from '../../api/ask.ts'
import { useAsk } from '../../api/use-ask.ts'
import { whatOf } from '../../format/what.ts'
import { useNews } from '../../live/use-live.ts'
import { Card } from '../../parts/card.tsx'
import { Empty } from '../../parts/empty.tsx'
import { Fault } from '../../parts/fault.tsx'
import { Plain } from '../../parts/plain.tsx'
import { Skeleton } from '../../parts/skeleton.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Since, Time } from '../../parts/time.tsx'

/** How often the list is asked for at most while tasks change. */
const calmMs = 1_500

/** The last tasks that the device had. */
export const TasksCard = ({ device }: { device: string }) => {
  const { data, error, refresh } = useAsk<OutputOf<'task.list'>>(withQuery('/tasks', { device, limit: 10 }))
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  useNews({ view: 'tasks' }, (change) => {
    if (change && change.more === 0 && !change.tasks.some((task) => task.device === device)) return
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      refresh()
    }, calmMs)
  })
  return (
    <Card title="Recent tasks" flush aside={<a href={`/tasks?device=${device}`}>All of this device</a>}>
      {error && !data ? (
        <Fault error={error} onRetry={refresh} />
      ) : !data ? (
        <div class="device-waits">
          <Skeleton />
        </div>
      ) : data.tasks.length === 0 ? (
        <Empty icon="tasks" title="It has had no task yet" />
      ) : (
        <Table caption={`Recent tasks of ${device}`} columns={columns} rows={data.tasks} rowKey={(task) => task.task_id} />
      )}
    </Card>
  )
}

const columns: readonly Column<Task>[] = [
  {
    title: 'What',
    wide: true,
    cell: (task) => (
      <a href={`/tasks/${task.task_id}`} data-row>
        <Plain text={whatOf(task)} cut />
      </a>
    ),
  },
  { title: 'State', cell: (task) => <State state={task.state} title={task.reason} /> },
  { title: 'Took', align: 'right', cell: (task) => <Since from={task.started_at} to={task.ended_at} /> },
  { title: 'Submitted', align: 'right', cell: (task) => <Time at={task.created_at} /> },
]
