/** Takes secrets out of a text that comes in pieces, wherever it was cut. */
export interface Redactor {
  /** What of all that has come can be given on: the end is held back while it may be the beginning of a secret. */
  push(text: string): string
  /** The rest. */
  end(): string
}

export interface Redaction {
  open(): Redactor
  /** A text that is there as a whole. */
  text(text: string): string
  /** Every text in a value of JSON. */
  value(value: unknown): unknown
}

/** Shorter than this a value cannot be told from what is no secret. */
export const shortestSecret = 4
const shortestPart = 8

/**
 * Knows secrets by what they look like in the output of programs: as they are, line by line, in JSON, in a URL, and in base64 wherever they begin in what was
 * encoded. What is found is replaced by the secret's name.
 */
export const createRedaction = (secrets: Readonly<Record<string, string>>): Redaction => {
  const names = new Map<string, string>()
  for (const [name, value] of Object.entries(secrets))
    for (const form of formsOf(value)) if (!names.has(form)) names.set(form, name)
  const forms = [...names.keys()].sort((a, b) => b.length - a.length)
  const found = forms.length === 0 ? undefined : new RegExp(forms.map(escaped).join('|'), 'g')
  const longest = forms[0]?.length ?? 0

  const text = (given: string): string =>
    found === undefined ? given : given.replace(found, (form) => `[redacted:${names.get(form)}]`)

  /** How many characters at the end may be the beginning of a secret. */
  const heldOf = (given: string): number => {
    for (let length = Math.min(longest - 1, given.length); length > 0; length--) {
      const end = given.slice(-length)
      if (forms.some((form) => form.length > length && form.startsWith(end))) return length
    }
    return 0
  }

  const value = (given: unknown): unknown => {
    if (found === undefined) return given
    if (typeof given === 'string') return text(given)
    if (Array.isArray(given)) return given.map(value)
    if (typeof given !== 'object' || given === null) return given
    return Object.fromEntries(Object.entries(given).map(([key, one]) => [text(key), value(one)]))
  }

  return {
    text,
    value,
    open: () => {
      let held = ''
      return {
        push: (piece) => {
          if (found === undefined) return piece
          const all = held + piece
          // A secret that is whole may be the beginning of a longer one: then that is waited for, too.
          const cut = notWithin(found, all, all.length - heldOf(all))
          held = all.slice(cut)
          return text(all.slice(0, cut))
        },
        end: () => {
          const rest = text(held)
          held = ''
          return rest
        },
      }
    },
  }
}

/** The end of a secret may be the beginning of another one: what is found is not cut in two. */
const notWithin = (found: RegExp, text: string, cut: number): number => {
  for (const match of text.matchAll(found)) {
    const end = match.index + match[0].length
    if (match.index >= cut) break
    if (end > cut) return end
  }
  return cut
}

const formsOf = (secret: string): string[] => {
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter((line) => line.length >= shortestPart) : []
  return [...new Set([secret, ...lines].flatMap(formsOfText))].filter((form) => form.length >= shortestSecret)
}

const formsOfText = (text: string): string[] => [
  text,
  JSON.stringify(text).slice(1, -1),
  encodeURIComponent(text),
  encodeURIComponent(text).replaceAll('%20', '+'),
  ...[0, 1, 2].flatMap((before) => {
    const part = encodedPart(Buffer.from(text), before)
    const forUrls = part.replaceAll('+', '-').replaceAll('/', '_')
    return [part, forUrls].filter((one) => one.length >= shortestPart)
  }),
]

/** What of the base64 of a text does not hang on what is around it, if so many bytes are before it. */
const encodedPart = (bytes: Buffer, before: number): string => {
  const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
  return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
