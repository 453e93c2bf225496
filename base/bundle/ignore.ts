import type { PathFault } from './refusal.ts'

/** The file at the top of a folder that names what is left out of its releases. */
export const ignoreName = '.skeinignore'

export type Ignoring = { ok: true; isIgnored: (path: string, isFolder: boolean) => boolean } | { ok: false; faults: PathFault[] }

/** Reads which paths are left out. One pattern a line, as in a .gitignore: `*`, `?`, `[a-z]`, `**`, `/` at either end, and `!` to take back in. */
export const readIgnore = (text: string): Ignoring => {
  const rules: Rule[] = []
  const faults: PathFault[] = []
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const pattern = line.replace(/(?<!\\)[ \t]+$/, '')
    if (pattern === '' || pattern.startsWith('#')) continue
    try {
      rules.push(ruleOf(pattern))
    } catch {
      faults.push({
        path: ignoreName,
        code: 'ignore_invalid',
        message: `line ${i + 1}: ${JSON.stringify(pattern)} is no pattern`,
      })
    }
  }
  if (faults.length > 0) return { ok: false, faults }
  const isIgnored = (path: string, isFolder: boolean): boolean => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (name === '.git' || path === ignoreName) return true
    const last = rules.findLast((rule) => (isFolder || !rule.isOfFolders) && rule.expression.test(path))
    return last !== undefined && !last.takesBack
  }
  return { ok: true, isIgnored }
}

interface Rule {
  expression: RegExp
  isOfFolders: boolean
  takesBack: boolean
}

const ruleOf = (line: string): Rule => {
  const takesBack = line.startsWith('!')
  const isOfFolders = line.endsWith('/')
  const pattern = line.slice(takesBack ? 1 : 0, isOfFolders ? -1 : undefined)
  // One with a slash in it counts from the top, any other for a name anywhere.
  const isFromTop = pattern.includes('/')
  const body = expressionOf(pattern.replace(/^\//, ''))
  return { expression: new RegExp(`^${isFromTop ? '' : '(?:.*/)?'}${body}$`, 'su'), isOfFolders, takesBack }
}

const token = /\*\*\/|\/\*\*$|\*+|\?|\[[!^]?\]?[^\]]*\]|\\.|./gsu

const expressionOf = (pattern: string): string =>
  pattern.replace(token, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '/**') return '/.*'
    if (part.startsWith('*')) return '[^/]*'
    if (part === '?') return '[^/]'
    if (part.startsWith('[') && part.length > 1) return classOf(part)
    return escaped(part.length > 1 ? part.slice(1) : part)
  })

const classOf = (part: string): string => {
  const isNot = part[1] === '!' || part[1] === '^'
  const inner = part.slice(isNot ? 2 : 1, -1).replace(/[\\[\]^]/g, '\\$&')
  return `(?!/)[${isNot ? '^' : ''}${inner}]`
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
