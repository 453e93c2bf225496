import type { RecentTask } from '../../../../schemas/dashboard.ts'
import { Card } from '../../parts/card.tsx'
import { Plain } from '../../parts/plain.tsx'
import { State } from '../../parts/state.tsx'
import { type Column, Table } from '../../parts/table.tsx'
import { Since, Time } from '../../parts/time.tsx'

/** The newest tasks. */
export const RecentCard = ({ tasks }: { tasks: readonly RecentTask[] }) => (
  <Card title="Recent tasks" flush aside={<a href="/tasks">All tasks</a>}>
    <Table caption="Recent tasks" columns={columns} rows={tasks} rowKey={(task) => task.task_id} />
  </Card>
)

const columns: readonly Column<RecentTask>[] = [
  {
    title: 'What',
    wide: true,
    cell: (task) => (
      <a href={`/tasks/${task.task_id}`} data-row>
        <Plain text={task.what} cut />
      </a>
    ),
  },
  { title: 'State', cell: (task) => <State state={task.state} title={task.reason} /> },
  {
    title: 'Device',
    cell: (task) =>
      task.device === null ? (
        <span class="muted none">–</span>
      ) : (
        <a href={`/fleet/${task.device}`}>
          <Plain text={task.device} cut />
        </a>
      ),
  },
  { title: 'By', cell: (task) => <Plain text={task.requested_by} cut /> },
  { title: 'Took', align: 'right', cell: (task) => <Since from={task.started_at} to={task.ended_at} /> },
  { title: 'Submitted', align: 'right', cell: (task) => <Time at={task.created_at} /> },
]
