import type { HistoryEntry } from '../../../../schemas/task.ts'
import { durationText } from '../../format/amounts.ts'
import { clockTime, exactTime, msOf } from '../../format/relative-time.ts'
import { lookOf } from '../../format/states.ts'
import { Card } from '../../parts/card.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Plain } from '../../parts/plain.tsx'

interface TimelineProps {
  history: readonly HistoryEntry[]
  /** Of a wide fan-out only this run and the task itself are shown. */
  run: string | undefined
  isWide: boolean
}

/** What has happened, in its order, with the time that passed between. */
export const Timeline = ({ history, run, isWide }: TimelineProps) => {
  const own = isWide ? history.filter((entry) => entry.run_id === null || entry.run_id === run) : history
  // That the task ends as its run does need not be said twice.
  const shown = own.filter(({ run_id, state, reason }, index) => {
    const before = own[index - 1]
    return run_id !== null || before === undefined || before.state !== state || before.reason !== reason
  })
  return (
    <Card title="What happened">
      <ol class="timeline">
        {shown.map((entry, index) => (
          <Moment key={`${entry.run_id}-${entry.state}-${entry.at}`} entry={entry} before={shown[index - 1]} />
        ))}
      </ol>
    </Card>
  )
}

const Moment = ({ entry, before }: { entry: HistoryEntry; before: HistoryEntry | undefined }) => {
  const { tone, icon, word } = lookOf(entry.state)
  const at = msOf(entry.at) ?? 0
  const since = before ? (at - (msOf(before.at) ?? at)) / 1000 : 0
  return (
    <li class={`tone-${tone}`}>
      <span class="timeline-sign">
        <Icon name={icon} size={13} />
      </span>
      <span class="timeline-what">
        <strong>
          <Plain text={word} />
        </strong>
        {entry.reason !== null && (
          <span class="muted">
            <Plain text={entry.reason} />
          </span>
        )}
      </span>
      <span class="timeline-when">
        <time dateTime={entry.at} title={exactTime(at)}>
          {clockTime(at)}
        </time>
        {since >= 0.05 && <span>+{durationText(since)}</span>}
      </span>
    </li>
  )
}
