import { fieldsOf } from './updates.ts'

export interface ToolText {
  stream: 'stdout' | 'stderr'
  text: string
}

/** Of more than this it is not looked for what had not come. */
const mostText = 256 * 1024

/** What tools have written as it appeared; an agent tells the whole of it again when a tool is over, and of what was quick maybe only then. */
export const createLiveOutput = () => {
  const came = new Map<string, Map<ToolText['stream'], string>>()
  return {
    took: ({ id, stream, text }: ToolText & { id: string }): void => {
      const streams = came.get(id) ?? new Map<ToolText['stream'], string>()
      came.set(id, streams)
      streams.set(stream, `${streams.get(stream) ?? ''}${text}`.slice(0, mostText))
    },
    /** A tool is over and has written this: what of it had not come. */
    rest: (id: string, whole: readonly ToolText[]): ToolText[] => {
      const streams = came.get(id)
      came.delete(id)
      return whole.flatMap(({ stream, text }) => {
        const known = streams?.get(stream) ?? ''
        // The end of its last line is not always told again.
        const rest = known.length < mostText && text.startsWith(known) ? text.slice(known.length) : ''
        return rest === '' ? [] : [{ stream, text: rest }]
      })
    },
  }
}

/** What a tool has written, by what it is said to have come to. */
export const textsOf = (output: unknown): ToolText[] => {
  if (typeof output === 'string') return output === '' ? [] : [{ stream: 'stdout', text: output }]
  const fields = fieldsOf(output)
  return (['stdout', 'stderr'] as const).flatMap((stream) => {
    const text = fields[stream]
    return typeof text === 'string' && text !== '' ? [{ stream, text }] : []
  })
}
