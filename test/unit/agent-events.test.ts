import { beforeEach, describe, expect, test } from 'vitest'
import { createEventWriter } from '../../device/agents/event-writer.ts'
import { createRedaction } from '../../device/agents/redaction.ts'
import { type AgentEvent, maxEventBytes } from '../../schemas/agent-events.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'

let time: ReturnType<typeof createTime>
let events: AgentEvent[]
let log: string
const writerOf = (secrets: Record<string, string> = {}) =>
  createEventWriter({
    watcher: {
      started: () => {},
      output: (_, bytes) => {
        log += bytes.toString()
      },
      event: (event) => events.push(event),
      say: (text) => {
        log += `[${text}]\n`
      },
      ended: () => {},
      noRoom: () => {},
    },
    redaction: createRedaction(secrets),
    clock: clockOf(time, { isDead: false, wallOffsetMs: 0 }),
  })
const pass = (ms: number): void => {
  const until = time.now() + ms
  while (time.step(until));
}
const message = { kind: 'message' } as const
const out = (id: string, stream: 'stdout' | 'stderr' = 'stdout') => ({ kind: 'tool_output', id, stream }) as const
beforeEach(() => {
  time = createTime()
  events = []
  log = ''
})

describe('createEventWriter()', () => {
  test('gathers the words of one breath, and ends a message where something else begins', () => {
    const writer = writerOf()
    for (const word of ['All ', 'is ', 'well.']) writer.push(message, word)
    expect(events).toEqual([])
    pass(300)
    expect(events).toEqual([{ type: 'message', text: 'All is well.' }])
    writer.push(message, ' Really')
    writer.event({ type: 'tool_call', id: 'c', tool: 't', title: 'shell · ls', input: {} }, 'shell · ls')
    expect(events.slice(1).map(({ type }) => type)).toEqual(['message', 'tool_call'])
    expect(log).toBe('All is well. Really\n[shell · ls]\n')
  })

  test('what is said in one go is given on without waiting', () => {
    writerOf().push(message, 'x'.repeat(5000))
    expect(events).toHaveLength(1)
  })

  test('the last message is the answer; what was said before a tool was called is none', () => {
    const writer = writerOf()
    writer.push(message, 'First I look.')
    writer.event({ type: 'tool_call', id: 'c', tool: 't', title: 't', input: {} })
    expect(writer.lastMessage()).toBe('')
    writer.push(message, 'Here ')
    pass(1000)
    writer.push(message, 'it is. ')
    expect(writer.lastMessage()).toBe('Here it is.')
  })

  test('a secret that comes in pieces comes out in none, in no event and no line, though pieces are given on in between', () => {
    const writer = writerOf({ KEY: 'canary-4711' })
    for (const piece of ['I saw can', 'ary-47', '11 there, and can']) {
      writer.push(message, piece)
      pass(1000)
    }
    writer.end()
    expect(events.map((one) => 'text' in one && one.text)).toEqual(['I saw ', '[redacted:KEY] there, and ', 'can'])
    expect(log).toBe('I saw [redacted:KEY] there, and can\n')
    writer.event({ type: 'tool_result', id: 'c', status: 'completed', output: { stdout: 'canary-4711' } }, 'canary-4711')
    expect(JSON.stringify(events) + log).not.toContain('canary')
  })

  test('two streams of a tool by turns: each keeps its own beginning of a secret', () => {
    const writer = writerOf({ KEY: 'canary-4711' })
    writer.push(out('c'), 'can')
    writer.push(out('c', 'stderr'), 'can')
    writer.push(out('c'), 'ary-4711\n')
    writer.push(out('c', 'stderr'), 'dy\n')
    writer.endOf('c')
    const told = events.map((one) => (one.type === 'tool_output' ? [one.stream, one.text] : []))
    expect(told).toEqual([
      ['stdout', '[redacted:KEY]\n'],
      ['stderr', 'candy\n'],
    ])
  })

  test('what a tool has written comes before its result', () => {
    const writer = writerOf()
    writer.push(out('c'), 'hello')
    writer.endOf('c')
    writer.event({ type: 'tool_result', id: 'c', status: 'completed', output: null })
    expect(events.map(({ type }) => type)).toEqual(['tool_output', 'tool_result'])
    expect(log).toBe('hello\n')
  })

  test('an event fits in its record, and says what is not there', () => {
    const input = { a: 'ü'.repeat(100_000), list: Array.from({ length: 100_000 }, (_, i) => i), deep: { b: 'y'.repeat(50_000) } }
    writerOf().event({ type: 'tool_call', id: 'c', tool: 't', title: 't', input })
    expect(Buffer.byteLength(JSON.stringify(events[0]))).toBeLessThan(maxEventBytes)
    expect(JSON.stringify(events[0])).toMatch(/… \(\d+ more\)/)
  })
})
