import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Run, Task } from '../../../schemas/task.ts'
import { plural } from '../format/amounts.ts'
import { isOver } from '../format/task-states.ts'
import { Button } from '../parts/button.tsx'
import { Fault } from '../parts/fault.tsx'
import { useSession } from '../session/session.ts'
import { Bars } from './bars.tsx'
import type { Item } from './conversation.ts'
import { ItemView } from './item-view.tsx'
import { Plan } from './plan.tsx'
import { Result } from './result.tsx'
import { SayBox } from './say-box.tsx'
import { useConversation } from './use-conversation.ts'
import './agent.css'

/** So many of the newest things are shown at first. */
const first = 300

/** What the agent of a run says and does, live; and what can be said to it. */
export const RunConversation = ({ task, run }: { task: Task; run: Run }) => {
  const { conversation, isLive, error } = useConversation({ view: 'events', task_id: task.task_id, run: run.run_id, after: 0 })
  const { mayAct } = useSession()
  const [most, setMost] = useState(first)
  const { items, plan, usage } = conversation
  const result = conversation.result ?? run.agent ?? null
  const isRunning = !isOver(run.state)
  const from = Math.max(0, items.length - most)
  const { box, isAtEnd, onScroll, toEnd, unseen } = useTail(items)
  return (
    <section class="talk" aria-label="What the agent says and does">
      <Bars payload={task.payload} usage={usage ?? result} />
      {error && <Fault error={error} />}
      <div class="talk-frame">
        <div
          ref={box}
          class="talk-box"
          role="log"
          aria-label="Conversation"
          aria-live={isLive && isAtEnd ? 'polite' : 'off'}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and is read by keys
          tabIndex={0}
          onScroll={onScroll}
        >
          <ol class="talk-items">
            {from > 0 && (
              <li class="talk-more">
                <Button small onClick={() => setMost(most + 500)}>{`Show ${plural(Math.min(from, 500), 'earlier one')}`}</Button>
              </li>
            )}
            <Asked task={task} />
            {items.slice(from).map((item, index) => (
              <ItemView key={from + index} item={item} isRunning={isRunning} />
            ))}
            {isRunning && items.length === 0 && (
              <li class="talk-note">{isLive ? 'The agent has not said anything yet.' : 'Reading…'}</li>
            )}
          </ol>
        </div>
        {unseen > 0 && (
          <div class="log-newest">
            <Button kind="primary" small icon="down" onClick={toEnd}>
              To the newest
            </Button>
          </div>
        )}
      </div>
      {plan.length > 0 && <Plan entries={plan} />}
      {mayAct && isRunning && task.payload.prompt !== undefined && <SayBox task={task.task_id} />}
      {result && <Result {...{ result, run, task }} last={items.at(-1)} />}
    </section>
  )
}

/** What it was asked to do, as the first thing that was said. */
const Asked = ({ task }: { task: Task }) => {
  const { prompt, recipe } = task.payload
  return (
    <ItemView
      item={{ kind: 'said', at: Date.parse(task.created_at), text: prompt ?? recipe ?? '', by: task.requested_by }}
      isRunning={false}
    />
  )
}

/** Stays at the end of what grows, unless somebody has scrolled up to read. */
const useTail = (items: readonly Item[]) => {
  const box = useRef<HTMLDivElement>(null)
  const [isAtEnd, setAtEnd] = useState(true)
  const seen = useRef(0)
  useLayoutEffect(() => {
    const element = box.current
    if (!element || !isAtEnd) return
    element.scrollTop = element.scrollHeight
    seen.current = items.length
  }, [items, isAtEnd])
  return {
    box,
    isAtEnd,
    onScroll: () => {
      const element = box.current
      if (element) setAtEnd(element.scrollTop + element.clientHeight >= element.scrollHeight - 24)
    },
    toEnd: () => setAtEnd(true),
    unseen: isAtEnd ? 0 : items.length - seen.current,
  }
}
