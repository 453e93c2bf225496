import { useState } from 'preact/hooks'
import { countText, plural } from '../format/amounts.ts'
import { Button, LinkButton } from '../parts/button.tsx'
import { Select } from '../parts/select.tsx'
import { Badge } from '../parts/state.tsx'
import type { Times } from './log-row.tsx'
import type { LogStanding } from './use-log.ts'

interface LogToolsProps {
  standing: LogStanding
  lines: number
  /** How many lines are chosen. */
  chosen: number
  isFollowing: boolean
  isWrapped: boolean
  times: Times
  download: string
  onFollow: (isFollowing: boolean) => void
  onWrap: (isWrapped: boolean) => void
  onTimes: (times: Times) => void
  onLine: (line: number) => void
  onCopy: () => void
}

/** How a log is shown, where one is in it, and how it is taken along. */
export const LogTools = (props: LogToolsProps) => {
  const { standing, lines, chosen, isFollowing, isWrapped, times } = props
  return (
    <div class="log-tools">
      <span class="log-standing" role="status">
        {standing === 'complete' ? (
          <Badge icon="check">Complete</Badge>
        ) : standing === 'live' ? (
          <Badge tone="busy" icon="play">
            Live
          </Badge>
        ) : (
          <Badge tone="wait" icon="clock">
            Catching up
          </Badge>
        )}
      </span>
      <LineField lines={lines} onLine={props.onLine} />
      {chosen > 0 && (
        <Button
          small
          icon="copy"
          onClick={props.onCopy}
          title="Copy the chosen lines; Shift and a press on another number chooses more"
        >
          {`Copy ${plural(chosen, 'line')}`}
        </Button>
      )}
      <Select
        label="Times"
        value={times}
        options={[
          { value: 'off', label: 'No times' },
          { value: 'relative', label: 'Relative' },
          { value: 'exact', label: 'Exact' },
        ]}
        onChange={props.onTimes}
      />
      <Button small pressed={isWrapped} onClick={() => props.onWrap(!isWrapped)}>
        Wrap
      </Button>
      <Button small pressed={isFollowing} onClick={() => props.onFollow(!isFollowing)}>
        Follow
      </Button>
      <LinkButton small bare icon="download" href={props.download} label="Download all of it" download>
        Download
      </LinkButton>
    </div>
  )
}

/** Leads to a line by its number. */
const LineField = ({ lines, onLine }: { lines: number; onLine: (line: number) => void }) => {
  const [text, setText] = useState('')
  return (
    <form
      class="log-line"
      onSubmit={(event) => {
        event.preventDefault()
        const line = Number(text)
        if (Number.isInteger(line) && line > 0) onLine(Math.min(line, lines) - 1)
      }}
    >
      <label>
        <span class="unseen">Go to line</span>
        <input
          inputMode="numeric"
          autocomplete="off"
          placeholder="Line"
          title={`1 to ${countText(lines)}`}
          value={text}
          onInput={(event) => setText(event.currentTarget.value.replace(/\D/g, '').slice(0, 9))}
        />
      </label>
    </form>
  )
}
