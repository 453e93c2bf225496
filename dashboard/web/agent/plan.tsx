import { Icon } from '../parts/icon.tsx'
import { Plain } from '../parts/plain.tsx'
import type { Conversation } from './conversation.ts'

/** What the agent means to do, and how far it is. */
export const Plan = ({ entries }: { entries: Conversation['plan'] }) => {
  const done = entries.filter((entry) => entry.status === 'completed').length
  return (
    <details class="plan" open>
      <summary>{`Plan: ${done} of ${entries.length} done`}</summary>
      <ol>
        {entries.map((entry, index) => (
          <li
            key={index}
            class={`plan-${entry.status === 'completed' || entry.status === 'in_progress' ? entry.status : 'open'}`}
          >
            <Icon name={entry.status === 'completed' ? 'check' : entry.status === 'in_progress' ? 'play' : 'dot'} size={14} />
            <Plain text={entry.content} />
          </li>
        ))}
      </ol>
    </details>
  )
}
