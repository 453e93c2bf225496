import { yamlOf } from '../format/yaml.ts'

/** What a tool was called with, in at most so many characters: the value of its one argument, or names with values. */
export const summaryOf = (input: unknown, most = 72): string => {
  const whole = wordsOf(input).replace(/\s+/g, ' ').trim()
  // No half of a pair at its end.
  return whole.length <= most ? whole : `${whole.slice(0, most - 1).replace(/\s*[\ud800-\udbff]?$/, '')}…`
}

const wordsOf = (input: unknown): string => {
  if (input === null || input === undefined) return ''
  if (typeof input !== 'object' || Array.isArray(input)) return wordOf(input)
  const fields = Object.entries(input)
  const [only] = fields
  if (only && fields.length === 1) return wordOf(only[1])
  return fields.map(([name, value]) => `${name}: ${wordOf(value)}`).join(', ')
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** A value to be read: a text as it is, anything else with a field to a line. */
export const readableValue = (value: unknown): string => (typeof value === 'string' ? value : yamlOf(value))
