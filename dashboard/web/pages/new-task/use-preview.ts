import type { OutputOf } from '../../../../schemas/operations.ts'
import { type Previewed, usePreview } from '../../api/use-preview.ts'
import type { Draft } from './task-form.ts'

export type Preview = OutputOf<'task.preview'>

/** Which devices would take a task, and why the others would not. */
export const useTaskPreview = (draft: Draft): Previewed<Preview> => usePreview('/tasks/preview', whole(draft))

/** Where it could run is of interest before it is said what runs: something stands in for that. */
const whole = (draft: Draft): Draft => {
  const { command, prompt } = draft.payload
  if (command === '' || (Array.isArray(command) && command.length === 0))
    return { ...draft, payload: { ...draft.payload, command: ['true'] } }
  return prompt === '' ? { ...draft, payload: { ...draft.payload, prompt: '-' } } : draft
}
