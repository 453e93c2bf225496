import { useEffect, useState } from 'preact/hooks'
import type { WireError } from '../../../../schemas/errors.ts'
import type { OutputOf } from '../../../../schemas/operations.ts'
import { useApi } from '../../api/use-ask.ts'
import type { Draft } from './task-form.ts'

export type Preview = OutputOf<'task.preview'>

/** So long somebody has to type nothing. */
const quietMs = 400

/** What would become of a task, whenever somebody has stopped typing. The last answer stays while the next one is on its way. */
export const usePreview = (draft: Draft): { preview: Preview | null; error: WireError | null; isLoading: boolean } => {
  const ask = useApi()
  const [shown, setShown] = useState<{ of: string; preview: Preview | null; error: WireError | null }>({
    of: '',
    preview: null,
    error: null,
  })
  const body = JSON.stringify(whole(draft))
  useEffect(() => {
    const leaving = new AbortController()
    const timer = setTimeout(async () => {
      const outcome = await ask<Preview>('POST', '/tasks/preview', JSON.parse(body), leaving.signal)
      if (leaving.signal.aborted) return
      setShown({ of: body, preview: outcome.ok ? outcome.output : null, error: outcome.ok ? null : outcome.error })
    }, quietMs)
    return () => {
      clearTimeout(timer)
      leaving.abort()
    }
  }, [ask, body])
  return { preview: shown.preview, error: shown.error, isLoading: shown.of !== body }
}

/** Where it could run is of interest before it is said what runs: something stands in for that. */
const whole = (draft: Draft): Draft => {
  const { command, prompt } = draft.payload
  if (command === '' || (Array.isArray(command) && command.length === 0))
    return { ...draft, payload: { ...draft.payload, command: ['true'] } }
  return prompt === '' ? { ...draft, payload: { ...draft.payload, prompt: '-' } } : draft
}
