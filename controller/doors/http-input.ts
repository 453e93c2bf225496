import { type Outcome, refused } from '../../schemas/errors.ts'

type Fields = Readonly<Record<string, unknown>>

/** The input of an operation from where HTTP carries it: query, body and path. A field given twice must say the same. */
export const inputFrom = (path: Fields, query: Fields, body: unknown): Outcome<Record<string, unknown>> => {
  if (body !== undefined && !isFields(body)) return refused('invalid', 'The body must be a JSON object')
  const input: Record<string, unknown> = { ...query }
  const places = [
    ['body', body ?? {}],
    ['path', path],
  ] as const
  for (const [place, fields] of places) {
    for (const [field, value] of Object.entries(fields)) {
      if (Object.hasOwn(input, field) && input[field] !== value) {
        const message = `is given twice, with different values: in the ${place} and before it`
        return refused('invalid', `${field}: ${message}`, [{ field, code: 'ambiguous', message }])
      }
      // defineProperty: a field may be called __proto__, and is then refused like any unknown one.
      Object.defineProperty(input, field, { value, enumerable: true, configurable: true, writable: true })
    }
  }
  return { ok: true, output: input }
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
