import { useState } from 'preact/hooks'
import { bytesText } from '../format/amounts.ts'
import { plainText } from '../format/plain-text.ts'
import { textOfLine } from '../log/ansi.ts'
import { Button } from '../parts/button.tsx'
import { Icon } from '../parts/icon.tsx'
import { Plain } from '../parts/plain.tsx'
import { Since } from '../parts/time.tsx'
import type { ToolCall } from './conversation.ts'
import { readableValue, summaryOf } from './summary.ts'

/** So many characters of what a tool has written are shown at first: the end of it. */
const most = 4000

/** A call of a tool: what with, how it stands, and on demand what it wrote. One that works or has failed is open, unless somebody closes it. */
export const ToolView = ({ call, isRunning }: { call: ToolCall; isRunning: boolean }) => {
  const [choice, setChoice] = useState<boolean | null>(null)
  const state = call.state === 'running' && !isRunning ? 'ended' : call.state
  const isOpen = choice ?? (state === 'running' || state === 'error')
  const { tone, icon, word } = looks[state]
  return (
    <details class={`tool tone-${tone}`} open={isOpen}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is what is pressed */}
      <summary
        onClick={(event) => {
          event.preventDefault()
          setChoice(!isOpen)
        }}
      >
        <span class="tool-fold">
          <Icon name={isOpen ? 'down' : 'right'} size={14} />
        </span>
        <span class="tool-state" title={word}>
          {state === 'running' ? <span class="spinner" /> : <Icon name={icon} size={14} />}
          <span class="unseen">{word}</span>
        </span>
        {/* Behind what it belongs to: that stands in the title. */}
        <strong class="tool-name" title={plainText(call.tool)}>
          <Plain text={call.tool.split('__').at(-1) || call.id || 'tool'} cut />
        </strong>
        <span class="tool-summary">
          <Plain text={summaryOf(call.input) || call.title} cut mono />
        </span>
        {(call.endedAt !== null || state === 'running') && <Since from={call.at} to={call.endedAt} />}
      </summary>
      {isOpen && (
        <div class="tool-body">
          <Part title="Called with" text={readableValue(call.input ?? '')} />
          {call.output.length > 0 && <Written call={call} />}
          {call.result !== null && call.result !== undefined && <Part title="Result" text={readableValue(call.result)} />}
        </div>
      )}
    </details>
  )
}

const looks = {
  running: { tone: 'busy', icon: 'play', word: 'Working' },
  ok: { tone: 'good', icon: 'check', word: 'Done' },
  error: { tone: 'bad', icon: 'cross', word: 'Failed' },
  ended: { tone: 'off', icon: 'stop', word: 'Not finished' },
} as const

const Written = ({ call: { output } }: { call: ToolCall }) => {
  const [isAll, setAll] = useState(false)
  const size = output.reduce((sum, piece) => sum + piece.text.length, 0)
  let over = isAll ? 0 : size - most
  return (
    <div>
      <p class="tool-title">Output</p>
      {over > 0 && (
        <p class="tool-cut">
          <span class="muted">{`The first ${bytesText(over)} are not shown.`}</span>
          <Button small onClick={() => setAll(true)}>
            Show all
          </Button>
        </p>
      )}
      <pre class="talk-text">
        {output.map(({ stream, text }, index) => {
          const shown = over > 0 ? text.slice(over) : text
          over -= text.length
          return (
            <span key={index} class={stream === 'stderr' ? 'tool-stderr' : undefined}>
              <Plain text={shown.split('\n').map(textOfLine).join('\n')} lines mono />
            </span>
          )
        })}
      </pre>
    </div>
  )
}

const Part = ({ title, text }: { title: string; text: string }) => {
  const [isAll, setAll] = useState(false)
  if (text === '') return null
  const isLong = text.length > most && !isAll
  return (
    <div>
      <p class="tool-title">{title}</p>
      <pre class="talk-text">
        <Plain text={isLong ? text.slice(0, most) : text} lines mono />
      </pre>
      {isLong && (
        <Button small onClick={() => setAll(true)}>
          Show all
        </Button>
      )}
    </div>
  )
}
