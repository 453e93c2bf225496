import { useState } from 'preact/hooks'
import type { Run } from '../../../schemas/task.ts'
import { withQuery } from '../api/ask.ts'
import { maxLines } from './log-store.ts'
import { LogView } from './log-view.tsx'
import { useLog } from './use-log.ts'

/** The log of a run: from its first line on, or from where on it can be kept, as far as that is known when somebody begins to look. */
export const RunLog = ({ run }: { run: Run }) => {
  const [after] = useState(Math.max(0, (run.log?.last_seq ?? 0) - maxLines))
  const log = useLog({ view: 'log', task_id: run.task_id, run: run.run_id, after })
  const download = withQuery(`/dashboard/tasks/${encodeURIComponent(run.task_id)}/log`, { run: run.run_id })
  const empty = log.standing === 'complete' ? 'It has written nothing.' : 'It has written nothing yet.'
  return <LogView log={log} label={`Log of ${run.run_id}`} download={download} empty={empty} />
}
