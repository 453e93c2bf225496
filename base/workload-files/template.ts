import { Context, Liquid, LiquidError, type Template, TokenKind, toValueSync } from 'liquidjs'
import { countUpTo, maxFileBytes } from './file-faults.ts'

/** What templates may name. `device` is missing where no device is known. */
export interface Variables {
  vars: Readonly<Record<string, unknown>>
  env: Readonly<Record<string, string>>
  device?: Readonly<Record<string, unknown>>
}

export interface TemplateFault {
  line: number
  /** The variable that is not defined, where it is about one. */
  variable?: string
  message: string
}

export type Rendered =
  | {
      ok: true
      text: string /** Where in the template something in the text comes from. */
      sourceOf: (offset: number) => number
    }
  | { ok: false; fault: TemplateFault }

/** Whether a text has templates in it; any other is taken as it is. */
export const hasTemplates = (text: string): boolean => text.includes('{{') || text.includes('{%')

/** Renders the templates of a text. What is not defined is an error, as are filters and tags that there are not. */
export const renderTemplates = (text: string, { vars, env, device }: Variables): Rendered => {
  // Variables are reachable by their plain names as well, except where those are taken. Without a prototype: nothing is inherited.
  const scope: Record<string, unknown> = Object.assign(Object.create(null), vars, { vars, env })
  delete scope['device']
  if (device) scope['device'] = device
  // The library takes the square of their number to read them.
  const marks = text.match(/\{[{%]/g)?.length ?? 0
  if (marks > maxMarks) return { ok: false, fault: { line: 1, message: `has ${marks} templates, more than ${maxMarks}` } }
  const trail = new Trail()
  try {
    const templates = engine.parse(text)
    trail.follow(templates)
    const context = new Context(scope, engine.options, { sync: true })
    trails.set(context, trail)
    toValueSync(engine.renderer.renderTemplates(templates, context, trail))
    return { ok: true, text: trail.buffer, sourceOf: trail.sourceOf }
  } catch (error) {
    return { ok: false, fault: faultOf(error) }
  }
}

// Nothing that reads other files, and nothing by chance or by the time of day: the same file must give the same workload, or each reload would restart it.
const tags = ['if', 'unless', 'case', 'for', 'break', 'continue', 'assign', 'capture', 'raw', 'comment', '#']
const changeful = ['sample', 'date', 'date_to_xmlschema', 'date_to_rfc822', 'date_to_string', 'date_to_long_string']
/** Filters by the names that they have in Jinja. */
const jinjaNames = { upper: 'upcase', lower: 'downcase', trim: 'strip', length: 'size', tojson: 'json' } as const

const maxMarks = 2000
/** Letters and places of lists that filters and ranges may make. */
const memoryLimit = 200_000
/** So many pieces of a template may be rendered and turns of loops be taken. */
const maxSteps = 50_000
/** What is left for the clock to end is large lists in filters in loops; a slow machine must not refuse what a fast one takes. */
const renderLimitMs = 1000

const makeEngine = (): Liquid => {
  const made = new Liquid({
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
    templates: {},
    parseLimit: 2 * maxFileBytes,
    renderLimit: renderLimitMs,
    memoryLimit,
    // Lists and maps as JSON, which is YAML as well.
    outputEscape: (value: unknown) =>
      typeof value === 'object' && value !== null
        ? JSON.stringify(value)
        : value === null || value === undefined
          ? ''
          : String(value),
  })
  for (const name of Object.keys(made.tags)) if (!tags.includes(name)) delete made.tags[name]
  for (const name of changeful) delete made.filters[name]
  for (const [name, own] of Object.entries(jinjaNames)) {
    const filter = made.filters[own]
    if (filter) made.registerFilter(name, filter)
  }
  // Each turn of a loop comes by here, also one with nothing in it.
  const { renderer } = made
  const { renderTemplates: render } = renderer
  renderer.renderTemplates = (templates, context, emitter) => {
    trails.get(context)?.step()
    return render.call(renderer, templates, context, emitter)
  }
  return made
}

const trails = new WeakMap<Context, Trail>()
const engine = makeEngine()

interface Piece {
  /** Where it begins in what is rendered. */
  at: number
  /** Where it begins in the template. */
  from: number
  /** Whether it is text of the template itself, letter by letter. */
  isText: boolean
}

/** Takes in what is rendered, and remembers which piece of the template it came from. */
class Trail {
  buffer = ''
  readonly #pieces: Piece[] = []
  #steps = 0

  write(value: unknown): void {
    this.buffer += String(value ?? '')
    if (this.buffer.length > maxFileBytes) throw new Error(`its templates make more than ${maxFileBytes} letters of it`)
  }

  /** Lets each template, those within others too, tell when it begins. */
  follow(templates: readonly Template[]): void {
    const open = [...templates]
    for (let one = open.pop(); one; one = open.pop()) {
      const template = one
      const { render } = template
      template.render = (context, emitter) => {
        // What is captured into a variable goes elsewhere.
        if (emitter === this) this.#begin(template)
        return render.call(template, context, emitter)
      }
      if (template.children) open.push(...toValueSync(template.children(false, true)))
    }
  }

  step(): void {
    if (++this.#steps > maxSteps) throw new Error(`its templates take more than ${maxSteps} steps`)
  }

  #begin({ token }: Template): void {
    this.step()
    const isText = token.kind === TokenKind.HTML
    // Blanks beside `{%-` are not part of it.
    const from = isText && 'trimLeft' in token ? token.begin + Number(token.trimLeft) : token.begin
    const isRaw = token.kind === TokenKind.Tag && 'name' in token && token.name === 'raw'
    this.#pieces.push({ at: this.buffer.length, from: isRaw ? token.end : from, isText: isText || isRaw })
  }

  readonly sourceOf = (offset: number): number => {
    const piece = this.#pieces[countUpTo(this.#pieces.length, (i) => (this.#pieces[i]?.at ?? 0) <= offset) - 1]
    return piece ? piece.from + (piece.isText ? offset - piece.at : 0) : 0
  }
}

const faultOf = (error: unknown): TemplateFault => {
  if (!LiquidError.is(error)) return { line: 1, message: reasonOf(error instanceof Error ? error.message : String(error)) }
  const [line = 1] = error.token.getPosition()
  const message = error.message.replace(/, line:\d+, col:\d+$/, '')
  const variable = /^undefined variable: (.+)$/.exec(message)?.[1]
  return { line, message: reasonOf(message), ...(variable === undefined ? {} : { variable }) }
}

const reasonOf = (message: string): string =>
  message
    .replace(/^(?:template render|memory alloc|parse length) limit exceeded$/, 'has templates that take too much time or memory')
    .replace(/^Maximum call stack size exceeded$/, 'has templates that are nested too deep')
