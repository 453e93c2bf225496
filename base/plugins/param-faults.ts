import { z } from 'zod'
import type { FieldFault } from '../../schemas/errors.ts'
import { ignored } from './ignored.ts'
import type { TypePlugin } from './read-module.ts'

const Answer = z.union([
  z.undefined(),
  z.null(),
  z.string(),
  z.array(z.object({ field: z.string(), message: z.string().min(1) })),
])

/** What the plugin of a type finds wrong with the params of a workload; an exception is a finding too. */
export const paramFaults = (plugin: TypePlugin | undefined, params: Readonly<Record<string, unknown>>): FieldFault[] => {
  if (!plugin?.validate) return []
  const about = (message: string): FieldFault[] => [{ field: 'params', code: 'invalid', message }]
  let said: unknown
  try {
    // A copy: what is kept is what the file says.
    said = plugin.validate(structuredClone(params))
  } catch (error) {
    return about(error instanceof Error ? error.message : String(error))
  }
  const answer = Answer.safeParse(said)
  if (!answer.success) {
    ignored(said)
    return about('cannot be checked: "validate" of the plugin must give nothing, a text, or a list of { field, message }')
  }
  if (typeof answer.data === 'string') return answer.data === '' ? [] : about(answer.data)
  return (answer.data ?? []).map(({ field, message }) => ({ field: fieldOf(field), code: 'invalid', message }))
}

const fieldOf = (field: string): string =>
  field === '' || field === 'params' ? 'params' : `params.${field.replace(/^params\./, '')}`
