import type { HistoryEntry } from '../../../../schemas/task.ts'
import { Card } from '../../parts/card.tsx'
import { Timeline } from '../../parts/timeline.tsx'

interface HistoryCardProps {
  history: readonly HistoryEntry[]
  /** Of a wide fan-out only this run and the task itself are shown. */
  run: string | undefined
  isWide: boolean
}

/** What has happened to a task and its runs. */
export const HistoryCard = ({ history, run, isWide }: HistoryCardProps) => {
  const own = isWide ? history.filter((entry) => entry.run_id === null || entry.run_id === run) : history
  // That the task ends as its run does need not be said twice.
  const shown = own.filter(({ run_id, state, reason }, index) => {
    const before = own[index - 1]
    return run_id !== null || before === undefined || before.state !== state || before.reason !== reason
  })
  return (
    <Card title="What happened">
      <Timeline
        moments={shown.map(({ run_id, state, reason, at }) => ({ key: `${run_id}-${state}-${at}`, state, reason, at }))}
      />
    </Card>
  )
}
