/** A selector over labels, in the grammar of Kubernetes: `role=builder,region in (eu,us),!drained`. */
export type Requirement =
  | { kind: 'exists'; key: string }
  | { kind: 'absent'; key: string }
  | { kind: 'in'; key: string; values: string[] }
  | { kind: 'notin'; key: string; values: string[] }

export type Labels = Readonly<Record<string, string>>

const key = '[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?'
const value = '[A-Za-z0-9._-]{0,63}'
const exists = new RegExp(`^(!?)\\s*(${key})$`)
const equality = new RegExp(`^(${key})\\s*(==|=|!=)\\s*(${value})$`)
const membership = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(([^()]*)\\)$`)
const wholeValue = new RegExp(`^${value}$`)

/** Parses a selector; an error says which part could not be read and what the grammar is. An empty one matches everything, as in Kubernetes. */
export const parseSelector = (text: string): { ok: true; requirements: Requirement[] } | { ok: false; reason: string } => {
  const requirements: Requirement[] = []
  if (text.trim() === '') return { ok: true, requirements }
  for (const part of splitOutsideParentheses(text)) {
    const requirement = parseRequirement(part.trim())
    if (!requirement)
      return {
        ok: false,
        reason: `cannot read "${part.trim()}"; write key=value, key!=value, key in (a,b), key notin (a,b), key or !key`,
      }
    requirements.push(requirement)
  }
  return { ok: true, requirements }
}

const parseRequirement = (part: string): Requirement | undefined => {
  const equal = equality.exec(part)
  if (equal) {
    const [, name = '', operator, wanted = ''] = equal
    return { kind: operator === '!=' ? 'notin' : 'in', key: name, values: [wanted] }
  }
  const member = membership.exec(part)
  if (member) {
    const [, name = '', operator, list = ''] = member
    const values = list.split(',').map((one) => one.trim())
    if (values.some((one) => !wholeValue.test(one))) return undefined
    return { kind: operator === 'in' ? 'in' : 'notin', key: name, values }
  }
  const named = exists.exec(part)
  if (!named) return undefined
  return { kind: named[1] === '!' ? 'absent' : 'exists', key: named[2] ?? '' }
}

const splitOutsideParentheses = (text: string): string[] => {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')') depth--
    if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

/** Whether labels meet every requirement. */
export const matches = (requirements: readonly Requirement[], labels: Labels): boolean =>
  requirements.every((one) => meets(one, labels))

/** Whether labels meet one requirement. As in Kubernetes, `!=` and `notin` also hold where the label is absent. */
export const meets = (one: Requirement, labels: Labels): boolean => {
  const has = Object.hasOwn(labels, one.key)
  switch (one.kind) {
    case 'exists':
      return has
    case 'absent':
      return !has
    case 'in':
      return has && one.values.includes(labels[one.key] ?? '')
    case 'notin':
      return !has || !one.values.includes(labels[one.key] ?? '')
  }
}

/** A requirement as it is written in a selector. */
export const requirementText = (one: Requirement): string => {
  switch (one.kind) {
    case 'exists':
      return one.key
    case 'absent':
      return `!${one.key}`
    case 'in':
      return one.values.length === 1 ? `${one.key}=${one.values[0]}` : `${one.key} in (${one.values.join(',')})`
    case 'notin':
      return one.values.length === 1 ? `${one.key}!=${one.values[0]}` : `${one.key} notin (${one.values.join(',')})`
  }
}
