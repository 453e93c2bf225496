import { describe, expect, test } from 'vitest'
import { conversationAfter, noConversation } from '../../dashboard/web/agent/conversation.ts'
import { summaryOf } from '../../dashboard/web/agent/summary.ts'
import type { LogRecord } from '../../schemas/log.ts'

let seq = 0
const event = (content: Record<string, unknown> & { type: string }): LogRecord => [++seq, 1000 * seq, 'a', content]
const told = (...events: LogRecord[]) => conversationAfter(noConversation, events)
const permission = (state: string, more: object = {}) => ({
  ...{ type: 'permission', approval: 'a-1', state, id: 't1', tool: 'shell', title: 'shell · rm', input: {} },
  ...{ expires_at: '2030-01-01T00:00:00.000Z', by: null, reason: null },
  ...more,
})

const complete = {
  ...{
    type: 'complete',
    agent: 'goose',
    stop_reason: 'completed',
    text: 'done',
    turns: 2,
    tokens: 30,
    cost: null,
    currency: null,
  },
  ...{ provider: null, model: null, session: null, artifacts: [{ path: 'a', size: 1, sha256: 'f' }] },
}

describe('what an agent does, as a conversation', () => {
  test('conversationAfter() joins what is said in pieces, until something else comes', () => {
    const { items } = told(
      event({ type: 'message', text: 'Hello' }),
      event({ type: 'message', text: ', world' }),
      event({ type: 'thought', text: 'hm' }),
      event({ type: 'message', text: 'Again' }),
    )
    expect(items.map((item) => [item.kind, 'text' in item && item.text])).toEqual([
      ['message', 'Hello, world'],
      ['thought', 'hm'],
      ['message', 'Again'],
    ])
  })

  test('conversationAfter() joins a call with what it wrote and how it ended, also across batches', () => {
    const first = told(
      event({ type: 'tool_call', id: 't1', tool: 'shell', title: 'shell · ls', input: { command: 'ls' } }),
      event({ type: 'tool_output', id: 't1', stream: 'stdout', text: 'a\n' }),
      event({ type: 'tool_output', id: 't1', stream: 'stdout', text: 'b\n' }),
      event({ type: 'tool_output', id: 't1', stream: 'stderr', text: 'oops\n' }),
    )
    expect(first.items[0]).toMatchObject({ kind: 'tool', state: 'running', endedAt: null })
    const second = conversationAfter(first, [
      event({ type: 'tool_result', id: 't1', status: 'completed', output: { stdout: 'a\nb', stderr: 'oops' } }),
    ])
    expect(second.items).toHaveLength(1)
    expect(second.items[0]).toMatchObject({
      state: 'ok',
      output: [
        { stream: 'stdout', text: 'a\nb\n' },
        { stream: 'stderr', text: 'oops\n' },
      ],
      // All of it was told before.
      result: null,
    })
    expect(first.items[0]).toMatchObject({ state: 'running' })
    const long = { stdout: 'a… (2 more)', stderr: 'oops' }
    const cut = conversationAfter(first, [event({ type: 'tool_result', id: 't1', status: 'completed', output: long })])
    expect(cut.items[0]).toMatchObject({ result: null })
    const other = { ...long, stdout: 'b… (2 more)' }
    const more = conversationAfter(first, [event({ type: 'tool_result', id: 't1', status: 'completed', output: other })])
    expect(more.items[0]).toMatchObject({ result: other })
  })

  test('conversationAfter() keeps a result that tells more, and one whose beginning was dropped', () => {
    const { items } = told(
      event({ type: 'tool_call', id: 't1', tool: 'read', title: '', input: {} }),
      event({ type: 'tool_result', id: 't1', status: 'failed', output: 'no such file' }),
      event({ type: 'tool_result', id: 'other', status: 'completed', output: 'x' }),
    )
    expect(items).toMatchObject([
      { tool: 'read', state: 'error', result: 'no such file' },
      { id: 'other', state: 'ok', result: 'x' },
    ])
  })

  test('conversationAfter() takes the last call of an id that comes again', () => {
    const { items } = told(
      event({ type: 'tool_call', id: 't', tool: 'one', title: '', input: {} }),
      event({ type: 'tool_result', id: 't', status: 'completed', output: null }),
      event({ type: 'tool_call', id: 't', tool: 'two', title: '', input: {} }),
      event({ type: 'tool_output', id: 't', stream: 'stdout', text: 'x' }),
    )
    expect(items).toMatchObject([
      { tool: 'one', output: [] },
      { tool: 'two', output: [{ text: 'x' }] },
    ])
  })

  test('conversationAfter() keeps the end of what a tool wrote', () => {
    const part = 'x'.repeat(8192)
    const { items } = told(
      event({ type: 'tool_call', id: 't', tool: 'flood', title: '', input: {} }),
      ...Array.from({ length: 100 }, (_, i) =>
        event({ type: 'tool_output', id: 't', stream: i % 2 ? 'stdout' : 'stderr', text: part }),
      ),
      event({ type: 'tool_output', id: 't', stream: 'stdout', text: 'the end' }),
    )
    const [call] = items
    const written = call?.kind === 'tool' ? call.output.map((one) => one.text).join('') : ''
    expect(written.length).toBe(512 * 1024)
    expect(written.endsWith('the end')).toBe(true)
  })

  test('conversationAfter() shows a permission once, as it stands', () => {
    const { items } = told(
      event(permission('pending')),
      event({ type: 'message', text: 'waiting' }),
      event(permission('rejected', { by: 'ann', reason: 'no' })),
    )
    expect(items).toMatchObject([
      { kind: 'permission', asked: { state: 'rejected', by: 'ann', reason: 'no' } },
      { kind: 'message' },
    ])
  })

  test('conversationAfter() knows plan, usage and result as they were told last', () => {
    const { plan, usage, result, items } = told(
      event({ type: 'plan', entries: [{ content: 'one', status: 'pending' }] }),
      event({ type: 'usage', turns: 1, tokens: 10, cost: null, currency: null }),
      event({ type: 'plan', entries: [{ content: 'one', status: 'completed' }] }),
      event({ type: 'usage', turns: 2, tokens: 30, cost: 0.5, currency: 'USD' }),
      event(complete),
    )
    expect(items).toEqual([])
    expect(plan).toEqual([{ content: 'one', status: 'completed' }])
    expect(usage).toMatchObject({ turns: 2, tokens: 30, cost: 0.5 })
    expect(result).toMatchObject({ stop_reason: 'completed' })
  })

  test('conversationAfter() shows what it does not know, and what is missing', () => {
    const dropped = { from: 3, to: 9, lines: 7, bytes: 100, reason: 'spool_full' }
    const { items } = told(event({ type: 'telepathy', about: 'x' }), [++seq, 1, 'a', { dropped }], [++seq, 1, 'o', 'a line'])
    expect(items).toMatchObject([
      { kind: 'other', event: { type: 'telepathy' } },
      { kind: 'dropped', dropped },
      { kind: 'output', text: 'a line' },
    ])
  })

  test('conversationAfter() shows what does not have what is read of it as something else, and takes the rest', () => {
    const stream = { id: 't', stream: 'stdout', text: 'x' }
    const right = [
      { type: 'message', text: 'x' },
      { type: 'thought', text: 'x' },
      { type: 'notification', text: 'x' },
      { type: 'said', text: 'x', by: 'ann' },
      { type: 'output', stream: 'stderr', text: 'x' },
      { type: 'tool_call', id: 't', tool: 'shell', title: '' },
      { type: 'tool_output', ...stream },
      { type: 'tool_result', id: 't', status: 'completed' },
      { type: 'plan', entries: [{ content: 'one', status: 'pending' }] },
      { ...permission('pending'), input: 1 },
      { type: 'usage', turns: 1, tokens: 10, cost: null, currency: null },
      complete,
    ] as const
    expect(told(...right.map((one) => event(one))).items.filter((item) => item.kind === 'other')).toEqual([])
    const wrong = right.flatMap(({ type, ...fields }) => [
      { type },
      ...Object.keys(fields)
        .filter((field) => !['input', 'agent', 'provider', 'model'].includes(field))
        .map((field) => ({ type, ...fields, [field]: { not: 'this' } })),
    ])
    const { items, plan, usage, result } = told(...wrong.map((one) => event(one)))
    expect(items.map((item) => item.kind === 'other' && item.event)).toEqual(wrong)
    expect([plan, usage, result]).toEqual([[], null, null])
  })

  test('conversationAfter() takes no list with a wrong entry, and no type that only objects have', () => {
    const wrong = [
      { type: 'plan', entries: [{ content: 'one', status: 'pending' }, null] },
      { ...complete, artifacts: [{ path: 'a', size: '1', sha256: 'f' }] },
      { type: 'output', stream: 'stdin', text: 'x' },
      { type: 'constructor' },
      { type: '__proto__' },
    ]
    expect(told(...wrong.map((one) => event(one))).items.map((item) => item.kind)).toEqual(wrong.map(() => 'other'))
  })

  test('conversationAfter() takes nothing twice', () => {
    const one = event({ type: 'message', text: 'x' })
    const once = conversationAfter(noConversation, [one])
    expect(conversationAfter(once, [one]).items).toEqual(once.items)
  })

  test('conversationAfter() leaves alone what has not changed', () => {
    const before = told(event({ type: 'said', text: 'x', by: 'ann' }), event({ type: 'message', text: 'a' }))
    const next = conversationAfter(before, [event({ type: 'message', text: 'b' })])
    expect(next.items[0]).toBe(before.items[0])
    expect(next.items[1]).not.toBe(before.items[1])
  })
})

describe('what a tool is called with', () => {
  test('summaryOf() is one short line', () => {
    expect(summaryOf({ command: 'ls\n  -la' })).toBe('ls -la')
    expect(summaryOf({ path: '/x', deep: { a: 1 } })).toBe('path: /x, deep: {"a":1}')
    expect(summaryOf('text')).toBe('text')
    expect(summaryOf(null)).toBe('')
    expect(summaryOf({ command: 'x'.repeat(200) })).toHaveLength(72)
    expect(summaryOf({ command: '🦆'.repeat(100) })).not.toMatch(/[\ud800-\udbff]…$/)
  })
})
