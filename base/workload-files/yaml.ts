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

/** So many words, marks and spaces: some 3,000 lines of `key: value`. A text within a block is a single one. More would take longer than anybody waits. */
const maxTokens = 20_000
const maxAnchors = 100
/** So many letters, and values, may aliases make of a text. */
const maxLetters = 1024 * 1024
const maxValues = 50_000

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

/** What is too large is refused before anything is made of its words. */
const tokensOf = (text: string): Tokens => {
  const lexemes: string[] = []
  let anchors = 0
  let offset = 0
  for (const lexeme of new Lexer().lex(text)) {
    const isScalar = lexemes.at(-1) === CST.SCALAR
    if (lexemes.push(lexeme) > maxTokens)
      return refused(
        offset,
        'too_large',
        `has more than ${maxTokens} words and marks in one file: put its workloads into several`,
      )
    if (!isScalar && /^[*&]/.test(lexeme) && ++anchors > maxAnchors)
      return refused(offset, 'too_large', `has more than ${maxAnchors} anchors and aliases`)
    // The marks of a document and of a scalar stand for no letter.
    if (lexeme !== CST.SCALAR && lexeme !== CST.DOCUMENT) offset += lexeme.length
  }
  const parser = new Parser()
  const tokens: CST.Token[] = []
  for (const lexeme of lexemes) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    // The library goes down by recursion, later.
    if (parser.stack.length > maxDepth + 8)
      return refused(parser.offset, 'too_deep', `has more than ${maxDepth} levels, one in the other`)
  }
  for (const token of parser.end()) tokens.push(token)
  return { ok: true, tokens }
}

const refused = (offset: number, code: string, message: string): Tokens => ({ ok: false, fault: { offset, code, message } })
const wrong = (...faults: YamlFault[]): Yaml => ({ ok: false, faults })
const isEmpty = ({ contents, errors }: Document.Parsed): boolean =>
  errors.length === 0 && (contents === null || (isScalar(contents) && contents.value === null))

const resolved = (document: Document.Parsed): Yaml => {
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: maxAnchors })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return wrong({ offset: 0, code: 'too_large', message: `has aliases that cannot be resolved: ${reason}` })
  }
  if (isTooLarge(value)) return wrong({ offset: 0, code: 'too_large', message: 'has aliases that make too much of it' })
  return { ok: true, value, offsetOf: (field) => offsetIn(document.contents, field) }
}

/** Also true of what holds itself. */
const isTooLarge = (value: unknown): boolean => {
  let values = 0
  let letters = 0
  const open = [value]
  while (open.length > 0) {
    const one = open.pop()
    values++
    if (typeof one === 'string') letters += one.length
    if (typeof one === 'object' && one !== null)
      for (const [key, inner] of Object.entries(one)) {
        letters += key.length
        open.push(inner)
      }
    if (values + open.length > maxValues || letters > maxLetters) return true
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
