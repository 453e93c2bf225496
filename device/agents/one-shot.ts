import type { ConversationEnd } from './conversation.ts'
import { fieldsOf, flat, isOwnWord, listOf, mostName, nameOf, textOf, type Update } from './updates.ts'

const mostLine = 16 * 1024 * 1024

export interface OneShotDeps {
  seen: (update: Update) => void
  /** It writes what is none of its messages. */
  stray: (line: string) => void
}

/**
 * Reads an agent that is told everything when it is started, and then only tells: a JSON object a line, messages with what was said and the tools that were called, and
 * `complete` with what it took. Nobody can answer it, or tell it more.
 */
export const startOneShot = ({ seen, stray }: OneShotDeps) => {
  const decoder = new TextDecoder()
  let partial = ''
  let settle: (end: ConversationEnd) => void = () => undefined
  const finished = new Promise<ConversationEnd>((resolve) => {
    settle = resolve
  })

  const take = (line: string): void => {
    if (line.trim() === '') return
    const one = readLine(line)
    switch (one?.['type']) {
      case 'message':
        for (const update of readMessage(fieldsOf(one['message']))) seen(update)
        return
      case 'notification': {
        const text = textOf(one['message'])
        return text === '' ? stray(line) : seen({ kind: 'notification', text })
      }
      case 'complete': {
        const { total_tokens: tokens, cost_usd: cost } = one
        const used = typeof tokens === 'number' ? tokens : 0
        const money = typeof cost === 'number' ? cost : null
        seen({ kind: 'usage', used, cost: money, currency: money === null ? null : 'USD' })
        return settle({ kind: 'answered', stopReason: 'end_turn', tokens: used })
      }
      default:
        stray(line)
    }
  }

  return {
    finished,
    receive: (bytes: Uint8Array): void => {
      const lines = (partial + decoder.decode(bytes, { stream: true })).split('\n')
      partial = lines.pop() ?? ''
      if (partial.length > mostLine) {
        stray(partial)
        partial = ''
      }
      for (const line of lines) take(line)
    },
    say: (): boolean => false,
    cancel: (): void => undefined,
    session: (): string | null => null,
    close: (): void => {
      if (partial !== '') take(partial)
      partial = ''
      settle({ kind: 'failed', reason: 'it has ended without telling what it came to' })
    },
  }
}

const readLine = (line: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    return fieldsOf(JSON.parse(line))
  } catch {
    return undefined // it is no message
  }
}

const readMessage = (message: Readonly<Record<string, unknown>>): Update[] =>
  listOf(message['content']).flatMap((part): Update[] => {
    const one = fieldsOf(part)
    switch (one['type']) {
      case 'text': {
        const text = textOf(one['text'])
        return message['role'] === 'assistant' && text !== '' ? [{ kind: 'message', text, isOwn: isOwnWord(message['id']) }] : []
      }
      case 'thinking': {
        const text = textOf(one['thinking'])
        return text === '' ? [] : [{ kind: 'thought', text, isOwn: false }]
      }
      case 'toolRequest': {
        const { name, arguments: input } = fieldsOf(fieldsOf(one['toolCall'])['value'])
        const extension = textOf(fieldsOf(one['_meta'])['goose_extension'])
        const tool = extension === '' ? textOf(name) : `${extension}__${textOf(name)}`
        const command = textOf(fieldsOf(input)['command'])
        const title = command === '' ? tool : `${textOf(name)} · ${command}`
        return [
          {
            kind: 'tool_call',
            id: nameOf(one['id']),
            tool: tool.slice(0, mostName),
            title: title.slice(0, 1000),
            input: flat(input ?? null),
          },
        ]
      }
      case 'toolResponse': {
        const result = fieldsOf(one['toolResult'])
        const value = fieldsOf(result['value'])
        const text = listOf(value['content']).map((item) => textOf(fieldsOf(item)['text']))
        const status = result['status'] === 'success' && value['isError'] !== true ? 'completed' : 'failed'
        return [
          { kind: 'tool_result', id: nameOf(one['id']), status, output: flat(value['structuredContent'] ?? text.join('\n')) },
        ]
      }
      default:
        return []
    }
  })
