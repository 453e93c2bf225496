import { durationText } from '../format/amounts.ts'
import { clockTime, exactTime, msOf } from '../format/relative-time.ts'
import { lookOf } from '../format/states.ts'
import { Icon } from './icon.tsx'
import { Plain } from './plain.tsx'
import './timeline.css'

/** A state that something came into. */
export interface Moment {
  key: string
  state: string
  reason: string | null
  at: string
  /** Who wanted it so. */
  by?: string | null
}

/** What has happened, in its order, with the time that passed between. */
export const Timeline = ({ moments, of }: { moments: readonly Moment[]; of?: 'deployment' }) => (
  <ol class="timeline">
    {moments.map((moment, index) => (
      <Entry key={moment.key} moment={moment} before={moments[index - 1]} look={lookOf(moment.state, of)} />
    ))}
  </ol>
)

interface EntryProps {
  moment: Moment
  before: Moment | undefined
  look: ReturnType<typeof lookOf>
}

const Entry = ({ moment, before, look: { tone, icon, word } }: EntryProps) => {
  const at = msOf(moment.at) ?? 0
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
        {moment.reason !== null && (
          <span class="muted">
            <Plain text={moment.reason} />
          </span>
        )}
        {moment.by && !moment.reason?.includes(`by ${moment.by}`) && (
          <span class="muted">
            by <Plain text={moment.by} />
          </span>
        )}
      </span>
      <span class="timeline-when">
        <time dateTime={moment.at} title={exactTime(at)}>
          {clockTime(at)}
        </time>
        {since >= 0.05 && <span>+{durationText(since)}</span>}
      </span>
    </li>
  )
}
