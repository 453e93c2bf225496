import { describe, expect, test } from 'vitest'
import { startOneShot } from '../../device/agents/one-shot.ts'
import { readUpdate, type Update } from '../../device/agents/updates.ts'

const own = 'msg_0f52b13b-b2a8-4323-8f19-aff4602e8604'

describe('readUpdate() reads', () => {
  test.each<[what: string, update: unknown, read: Update[]]>([
    [
      'words of the model',
      { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'Hi' }, messageId: 'chatcmpl-1' },
      [{ kind: 'message', text: 'Hi', isOwn: false }],
    ],
    [
      'words of the agent itself',
      { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 'Network error' }, messageId: own },
      [{ kind: 'message', text: 'Network error', isOwn: true }],
    ],
    [
      'thoughts',
      { sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'hm' } },
      [{ kind: 'thought', text: 'hm', isOwn: false }],
    ],
    [
      'a call, with the name that Goose adds',
      {
        sessionUpdate: 'tool_call',
        ...{ toolCallId: 'c1', title: 'shell · ls', rawInput: { command: 'ls' } },
        _meta: { goose: { toolCall: { toolName: 'shell', extensionName: 'developer' } } },
      },
      [{ kind: 'tool_call', id: 'c1', tool: 'developer__shell', title: 'shell · ls', input: { command: 'ls' } }],
    ],
    [
      'a call of another agent, that is over at once',
      {
        sessionUpdate: 'tool_call',
        toolCallId: 'c2',
        title: 'Read file',
        status: 'completed',
        content: [{ content: { text: 'all of it' } }],
      },
      [
        { kind: 'tool_call', id: 'c2', tool: 'Read', title: 'Read file', input: null },
        { kind: 'tool_result', id: 'c2', status: 'completed', output: 'all of it' },
      ],
    ],
    [
      'live output',
      {
        ...{ sessionUpdate: 'tool_call_update', toolCallId: 'c1', status: 'in_progress' },
        _meta: {
          toolNotification: {
            params: {
              chunks: [
                { stream: 'stdout', output: 'a\n' },
                { stream: 'stderr', output: 'b' },
              ],
            },
          },
        },
      },
      [
        { kind: 'tool_output', id: 'c1', stream: 'stdout', text: 'a\n' },
        { kind: 'tool_output', id: 'c1', stream: 'stderr', text: 'b' },
      ],
    ],
    [
      'a plan',
      { sessionUpdate: 'plan', entries: [{ content: 'look', status: 'pending', priority: 'high' }] },
      [{ kind: 'plan', entries: [{ content: 'look', status: 'pending' }] }],
    ],
    [
      'usage with and without money',
      { sessionUpdate: 'usage_update', used: 20, size: 128_000, cost: { amount: 0.1, currency: 'USD' } },
      [{ kind: 'usage', used: 20, cost: 0.1, currency: 'USD' }],
    ],
    [
      'the run that takes what is said',
      { sessionUpdate: 'session_info_update', _meta: { goose: { activeRunId: 'run_1' } } },
      [{ kind: 'active', run: 'run_1' }],
    ],
  ])('%s', (_, update, read) => expect(readUpdate(update)).toEqual(read))

  test.each([undefined, null, 5, 'x', {}, { sessionUpdate: 'news' }, { sessionUpdate: 'agent_message_chunk' }])(
    '%j, of which nothing is known, as it is',
    (update) => expect(readUpdate(update)).toEqual([{ kind: 'unknown', text: JSON.stringify(update ?? null) }]),
  )

  test.each([
    { sessionUpdate: 'plan', entries: 5 },
    { sessionUpdate: 'tool_call_update', toolCallId: 5, status: {}, _meta: { toolNotification: { params: { chunks: 'x' } } } },
    { sessionUpdate: 'user_message_chunk', content: { type: 'text', text: 'of ours' } },
    { sessionUpdate: 'available_commands_update', availableCommands: [] },
  ])('nothing out of %j', (update) => expect(readUpdate(update).filter((one) => one.kind !== 'plan')).toEqual([]))
})

describe('startOneShot() reads Goose’s stream', () => {
  const read = async (text: string) => {
    const seen: Update[] = []
    const stray: string[] = []
    const one = startOneShot({ seen: (update) => seen.push(update), stray: (line) => stray.push(line) })
    const bytes = Buffer.from(text)
    // Wherever it is cut.
    for (let at = 0; at < bytes.length; at += 7) one.receive(bytes.subarray(at, at + 7))
    one.close()
    return { seen, stray, end: await one.finished }
  }
  const message = (role: string, content: unknown, id = 'chatcmpl-1'): string =>
    `${JSON.stringify({ type: 'message', message: { id, role, content: [content] } })}\n`

  test('messages, tools and what it took; a banner is kept', async () => {
    const request = {
      type: 'toolRequest',
      id: 'c1',
      toolCall: { status: 'success', value: { name: 'shell', arguments: { command: 'ls' } } },
      _meta: { goose_extension: 'developer' },
    }
    const response = {
      type: 'toolResponse',
      id: 'c1',
      toolResult: { status: 'success', value: { structuredContent: { stdout: 'ä\n' }, isError: false } },
    }
    const { seen, stray, end } = await read(
      `  goose is ready\n${message('assistant', request)}${message('user', response)}${message('assistant', { type: 'text', text: 'Fürwahr' })}{"type":"complete","total_tokens":40,"cost_usd":0.1}\n`,
    )
    expect(seen).toEqual([
      { kind: 'tool_call', id: 'c1', tool: 'developer__shell', title: 'shell · ls', input: { command: 'ls' } },
      { kind: 'tool_result', id: 'c1', status: 'completed', output: { stdout: 'ä\n' } },
      { kind: 'message', text: 'Fürwahr', isOwn: false },
      { kind: 'usage', used: 40, cost: 0.1, currency: 'USD' },
    ])
    expect([stray, end]).toEqual([['  goose is ready'], { kind: 'answered', stopReason: 'end_turn', tokens: 40 }])
  })

  test('a notification, an own word and an end that nobody tells of', async () => {
    const { seen, end } = await read(
      `{"type":"notification","extension_id":"developer","message":"half done"}\n${message('assistant', { type: 'text', text: 'x' }, own)}{"type":"comp`,
    )
    expect(seen).toEqual([
      { kind: 'notification', text: 'half done' },
      { kind: 'message', text: 'x', isOwn: true },
    ])
    expect(end).toEqual({ kind: 'failed', reason: expect.stringContaining('without telling') })
  })
})
