/** A value as YAML, to be read: what is not there is left out, and a text of several lines keeps them. */
export const yamlOf = (value: unknown): string => (value === undefined ? '' : blockOf(value, '').trimStart())

/** What follows a name or a dash: on the same line after a space, or below it. */
const blockOf = (value: unknown, indent: string): string => {
  if (typeof value === 'string') return textOf(value, indent)
  if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}`
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []'
    return value.map((one) => `\n${indent}-${blockOf(one, `${indent}  `).replace(/^\n\s*/, ' ')}`).join('')
  }
  const fields = Object.entries(value).filter(([, one]) => one !== undefined)
  if (fields.length === 0) return ' {}'
  return fields.map(([name, one]) => `\n${indent}${wordOf(name)}:${blockOf(one, `${indent}  `)}`).join('')
}

const textOf = (text: string, indent: string): string => {
  const lines = text.replace(/\n$/, '').split('\n')
  // What a block cannot hold as it is stands in quotes.
  if (lines.length < 2 || /^\s|[^\P{Cc}\n\t]/u.test(text) || text.endsWith('\n\n')) return ` ${wordOf(text)}`
  const block = lines.map((line) => (line === '' ? '\n' : `\n${indent}${line}`)).join('')
  return ` |${text.endsWith('\n') ? '' : '-'}${block}`
}

/** A text without quotes, where YAML takes it for the same text. */
const wordOf = (text: string): string =>
  /^[A-Za-z_/.][\w ./@%+-]*$/.test(text) &&
  !text.endsWith(' ') &&
  !/^(?:true|false|null|yes|no|on|off|y|n|\.nan|\.inf|\.\d.*)$/i.test(text)
    ? text
    : JSON.stringify(text)
