import type { z } from 'zod'
import { type FieldFault, refused, type WireError } from './errors.ts'

/** Turns what zod found wrong into field faults with a did-you-mean, and into one refusal. */
export const refusalOf = (what: string, error: z.ZodError, known: readonly string[] = []): { ok: false; error: WireError } => {
  const faults = faultsOf(error, known)
  const first = faults[0]
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  return refused('invalid', first ? `${what}: ${first.field}: ${first.message}${more}` : `${what} is not valid`, faults)
}

export const faultsOf = (error: z.ZodError, known: readonly string[] = []): FieldFault[] =>
  error.issues.flatMap((issue): FieldFault[] => {
    const field = issue.path.length > 0 ? issue.path.join('.') : '(input)'
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => {
          const near = nearest(key, known)
          const at = issue.path.length > 0 ? `${issue.path.join('.')}.${key}` : key
          return {
            field: at,
            code: 'unknown_field',
            message: near ? `unknown field, did you mean "${near}"?` : 'unknown field',
            ...(near ? { accepted: [near] } : {}),
          }
        })
      case 'invalid_value': {
        const accepted = issue.values.map(String)
        return [{ field, code: 'invalid_value', message: `must be ${listed(accepted)}`, accepted }]
      }
      case 'invalid_union': {
        const inner = issue.errors.flat().find((one) => one.path.length > 0)
        const at = inner ? [...issue.path, ...inner.path].join('.') : field
        return [{ field: at, code: 'invalid_type', message: inner ? inner.message : issue.message }]
      }
      case 'invalid_type':
        return [
          {
            field,
            code: issue.input === undefined ? 'required' : 'invalid_type',
            message: sentence(issue.message),
            accepted: [issue.expected],
          },
        ]
      default:
        return [
          {
            field,
            code: issue.code === 'custom' ? String(issue.params?.['code'] ?? 'invalid') : issue.code,
            message: sentence(issue.message),
          },
        ]
    }
  })

const sentence = (message: string): string => message.replace(/^Invalid input: /, '')
const listed = (values: string[]): string => (values.length === 1 ? `"${values[0]}"` : `one of ${values.join(', ')}`)

/** The known word nearest to a mistyped one, if it is near enough to be meant. */
export const nearest = (word: string, known: readonly string[]): string | undefined => {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

const editDistance = (a: string, b: string): number => {
  if (Math.abs(a.length - b.length) > 8) return 99
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap))
    }
    row = next
  }
  return row[b.length] ?? 99
}
