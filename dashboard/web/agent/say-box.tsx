import { useState } from 'preact/hooks'
import { useAction, useApi } from '../api/use-ask.ts'
import { Button } from '../parts/button.tsx'
import { Fault } from '../parts/fault.tsx'

/** Tells the agent something while it works. Enter sends, Shift+Enter begins a new line. */
export const SayBox = ({ task }: { task: string }) => {
  const ask = useApi()
  const [text, setText] = useState('')
  const say = useAction(
    (said: string) => ask('POST', `/tasks/${task}/say`, { text: said }),
    () => setText(''),
  )
  const send = (): void => {
    if (text.trim() !== '') void say.run(text.trim())
  }
  return (
    <form
      class="say"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <label>
        <span class="unseen">Tell the agent something</span>
        <textarea
          rows={2}
          maxLength={32_000}
          placeholder="Tell the agent something while it works"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
            event.preventDefault()
            send()
          }}
        />
      </label>
      <Button type="submit" kind="primary" icon="send" busy={say.isBusy} disabled={text.trim() === ''}>
        Send
      </Button>
      {say.error && <Fault error={say.error} />}
    </form>
  )
}
