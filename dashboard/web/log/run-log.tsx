import { withQuery } from '../api/ask.ts'
import { LogView } from './log-view.tsx'
import { useLog } from './use-log.ts'

/** The log of a run, from its first line on. */
export const RunLog = ({ task, run }: { task: string; run: string }) => {
  const log = useLog({ view: 'log', task_id: task, run, after: 0 })
  const download = withQuery(`/dashboard/tasks/${encodeURIComponent(task)}/log`, { run })
  const empty = log.standing === 'complete' ? 'It has written nothing.' : 'It has written nothing yet.'
  return <LogView log={log} label={`Log of ${run}`} download={download} empty={empty} />
}
