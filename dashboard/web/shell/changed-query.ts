import type { Query, QueryChange } from './query.ts'

/** A path with a query changed: what is null, undefined or empty is taken out of it. */
export const changedQuery = (path: string, before: Query, change: QueryChange): string => {
  const after = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...before, ...change })) if (value) after.set(name, value)
  const text = after.toString()
  return text === '' ? path : `${path}?${text}`
}
