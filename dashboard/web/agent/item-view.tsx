import type { ComponentChildren } from 'preact'
import { wordOf } from '../format/states.ts'
import { gapWords } from '../log/gap-words.ts'
import { Icon } from '../parts/icon.tsx'
import { Plain } from '../parts/plain.tsx'
import { Time } from '../parts/time.tsx'
import { ApprovalCard } from './approval-card.tsx'
import type { Item } from './conversation.ts'
import { memo } from './memo.ts'
import { readableValue } from './summary.ts'
import { ToolView } from './tool-view.tsx'

/** One thing that was said or done. One that has not changed is not made again. */
export const ItemView = memo(({ item, isRunning }: { item: Item; isRunning: boolean }) => {
  switch (item.kind) {
    case 'message':
      return (
        <Entry kind="message">
          <Plain text={item.text.trim()} lines />
        </Entry>
      )
    case 'said':
      return (
        <Entry kind="said">
          <p class="talk-who">
            <Plain text={item.by} /> <Time at={item.at} />
          </p>
          <Plain text={item.text.trim()} lines />
        </Entry>
      )
    case 'thought':
      return (
        <Entry kind="thought">
          <details>
            <summary>Thought</summary>
            <Plain text={item.text.trim()} lines />
          </details>
        </Entry>
      )
    case 'tool':
      return (
        <Entry kind="tool">
          <ToolView call={item} isRunning={isRunning} />
        </Entry>
      )
    case 'permission': {
      const { asked } = item
      return (
        <Entry kind="permission">
          {asked.state === 'pending' && isRunning ? (
            <ApprovalCard approval={asked} />
          ) : (
            <p class="talk-note">
              <Icon name="approvals" size={15} />
              <span>
                <Plain text={asked.title || asked.tool} />: {asked.state === 'pending' ? 'not answered' : wordOf(asked.state)}
                {asked.by !== null && (
                  <>
                    {' '}
                    by <Plain text={asked.by} />
                  </>
                )}
                {asked.reason !== null && asked.reason !== '' && (
                  <>
                    : <Plain text={asked.reason} />
                  </>
                )}
              </span>
            </p>
          )}
        </Entry>
      )
    }
    case 'notification':
      return (
        <Entry kind="note">
          <p class="talk-note">
            <Plain text={item.text} lines />
          </p>
        </Entry>
      )
    case 'output':
      return (
        <Entry kind="output">
          <pre class="talk-text">
            <Plain text={item.text} lines mono />
          </pre>
        </Entry>
      )
    case 'dropped':
      return (
        <Entry kind="note">
          <p class="talk-note tone-warn">
            <Icon name="warning" size={15} />
            {gapWords(item.dropped)}
          </p>
        </Entry>
      )
    case 'other':
      return (
        <Entry kind="output">
          <pre class="talk-text">
            <Plain text={readableValue(item.event)} lines mono />
          </pre>
        </Entry>
      )
  }
})

const Entry = ({ kind, children }: { kind: string; children: ComponentChildren }) => (
  <li class={`talk-item talk-${kind}`}>{children}</li>
)
