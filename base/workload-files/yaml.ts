import { Composer, CST, type Document, isScalar, Lexer, type Node, Parser } from 'yaml'
import { maxDepth } from '../../schemas/depth.ts'
import { childOf, keyFaults } from './yaml-nodes.ts'

export interface YamlFault {
  offset: number
  field?: string
  code: string
  message: string
}

export type Yaml =
  | {
      ok: true
      value: unknown /** Where a field stands, or the nearest that there is above it. */
      offsetOf: (field: string) => number
    }
  | { ok: false; faults: YamlFault[] }

/** So many words, marks and spaces: some 5,000 lines of `key: value`. A text within a block is a single one. More would take longer than anybody waits. */
const maxTokens = 30_000
const maxAliases = 100
/** So many letters and values may aliases make of a text. */
const maxExpanded = 1024 * 1024

/** Reads one document of YAML 1.2 from a text that nobody has vouched for, within bounds: of any 256 KB it takes or refuses well within 100 ms. */
export const readYaml = (text: string): Yaml => {
  const tokens = tokensOf(text)
  if (!tokens.ok) return { ok: false, faults: [tokens.fault] }
  // Equal keys are looked for below, in linear time; by the library each is compared with all.
  const options = { uniqueKeys: false, prettyErrors: false, merge: true, resolveKnownTags: false, logLevel: 'silent' } as const
  const [document, ...others] = [...new Composer(options).compose(tokens.tokens)].filter((one) => !isEmpty(one))
  if (!document) return { ok: true, value: null, offsetOf: () => 0 }
  const second = others[0]
  if (second)
    return wrong({
      offset: second.range[0],
      code: 'several_documents',
      message: 'is a second document; put several workloads under "workloads:"',
    })
  // A warning is about a tag that YAML 1.2 does not know, or a directive: nobody means those.
  const faults: YamlFault[] = [...document.errors, ...document.warnings].map(({ pos, code, message }) => ({
    offset: pos[0],
    code: code === 'TAG_RESOLVE_FAILED' ? 'unknown_tag' : 'invalid_yaml',
    message: message.replace(/^./, (first) => first.toLowerCase()),
  }))
  faults.push(...keyFaults(document.contents))
  if (faults.length > 0) return { ok: false, faults: faults.sort((a, b) => a.offset - b.offset) }
  return resolved(document)
}

type Tokens = { ok: true; tokens: CST.Token[] } | { ok: false; fault: YamlFault }

const tokensOf = (text: string): Tokens => {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  let count = 0
  let aliases = 0
  let offset = 0
  let isScalarNext = false
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > maxTokens)
      return tooMuch(
        offset,
        'too_large',
        `has more than ${maxTokens} words and marks in one file: put its workloads into several`,
      )
    if (!isScalarNext && lexeme.startsWith('*') && ++aliases > maxAliases)
      return tooMuch(offset, 'too_large', `has more than ${maxAliases} aliases`)
    for (const token of parser.next(lexeme)) tokens.push(token)
    // The library goes down by recursion, later.
    if (parser.stack.length > maxDepth + 8)
      return tooMuch(offset, 'too_deep', `has more than ${maxDepth} levels, one in the other`)
    isScalarNext = lexeme === CST.SCALAR
    offset = parser.offset
  }
  for (const token of parser.end()) tokens.push(token)
  return { ok: true, tokens }
}

const tooMuch = (offset: number, code: string, message: string): Tokens => ({ ok: false, fault: { offset, code, message } })
const wrong = (...faults: YamlFault[]): Yaml => ({ ok: false, faults })
const isEmpty = ({ contents, errors }: Document.Parsed): boolean =>
  errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))

const resolved = (document: Document.Parsed): Yaml => {
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return wrong({ offset: 0, code: 'too_large', message: `has aliases that cannot be resolved: ${reason}` })
  }
  if (isLargerThan(value, maxExpanded))
    return wrong({ offset: 0, code: 'too_large', message: 'has aliases that make too much of it' })
  return { ok: true, value, offsetOf: (field) => offsetIn(document.contents, field) }
}

/** Whether it holds more values and letters than that; also true of what holds itself. */
const isLargerThan = (value: unknown, most: number): boolean => {
  let size = 0
  const open = [value]
  while (open.length > 0) {
    const one = open.pop()
    size += typeof one === 'string' ? one.length : 1
    if (size + open.length > most) return true
    if (typeof one === 'object' && one !== null)
      for (const [key, inner] of Object.entries(one)) {
        size += key.length
        open.push(inner)
      }
  }
  return false
}

const offsetIn = (contents: Node | null, field: string): number => {
  let at = contents
  let offset = at?.range?.[0] ?? 0
  let rest = field.split('.')
  while (rest.length > 0) {
    // A key of the author's own may have dots.
    const taken = rest.map((_, i) => i + 1).find((count) => childOf(at, rest.slice(0, count).join('.')) !== undefined)
    const child = taken === undefined ? undefined : childOf(at, rest.slice(0, taken).join('.'))
    if (!child || taken === undefined) return offset
    offset = child.offset
    at = child.node
    rest = rest.slice(taken)
  }
  return offset
}
