import type { z } from 'zod'
import { type FieldFault, refused, type WireError } from './errors.ts'

/** Turns what zod found wrong into field faults with a did-you-mean, and into one refusal. */
export const refusalOf = (what: string, error: z.ZodError, known: readonly string[] = []): { ok: false; error: WireError } => {
  const faults = faultsOf(error, known)
  const first = faults[0]
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  return refused('invalid', first ? `${what}: ${first.field}: ${first.message}${more}` : `${what} is not valid`, faults)
}

/** `known` are the fields that there are; those of objects within with the whole path, as `options.retries`. */
export const faultsOf = (error: z.ZodError, known: readonly string[] = []): FieldFault[] =>
  error.issues.flatMap((issue): FieldFault[] => {
    const field = issue.path.length > 0 ? issue.path.join('.') : '(input)'
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => {
          const near = meantBy(key, issue.path.join('.'), known)
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
        if (inner) {
          const at = [...issue.path, ...inner.path].join('.')
          return [{ field: at, code: 'invalid_type', message: sentence(inner.message) }]
        }
        const expected = issue.errors.flat().flatMap((one) => (one.code === 'invalid_type' ? [one.expected] : []))
        const message = expected.length > 0 ? `expected ${expected.join(' or ')}` : sentence(issue.message)
        return [{ field, code: 'invalid_type', message, ...(expected.length > 0 ? { accepted: expected } : {}) }]
      }
      case 'invalid_key':
        return [{ field, code: 'invalid_key', message: sentence(issue.issues[0]?.message ?? issue.message) }]
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

/** The field that an unknown key stands for: one beside it, or else one that has its place elsewhere, with that place. */
const meantBy = (key: string, parent: string, known: readonly string[]): string | undefined => {
  const places = known.map((path) => ({ path, parent: path.slice(0, Math.max(0, path.lastIndexOf('.'))) }))
  const nameOf = (path: string) => path.slice(path.lastIndexOf('.') + 1)
  const beside = places.filter((one) => one.parent === parent).map((one) => nameOf(one.path))
  const near = nearest(key, beside)
  if (near !== undefined) return near
  const elsewhere = places.filter((one) => one.parent !== parent).map((one) => one.path)
  const name = nearest(key, elsewhere.map(nameOf))
  return elsewhere.find((path) => nameOf(path) === name)
}

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
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap))
    }
    row = next
  }
  return row[b.length] ?? Number.POSITIVE_INFINITY
}
